using System.Net;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

public sealed class InstanceTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task Pages_go_from_new_to_old_without_gaps()
    {
        var label = Guid.NewGuid().ToString();
        var ids = new List<string>();
        for (var i = 0; i < 23; i++)
            ids.Add(await server.StartInstanceAsync("""{"name":"paged","do":[{"set":{"a":1}}]}""", $",\"label\":\"{label}\""));

        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = (await server.GetAsync($"instances?label={label}&limit=5{(cursor is null ? "" : $"&cursor={cursor}")}")).Json;
            seen.AddRange(page.GetProperty("data").EnumerateArray().Select(instance => instance.GetProperty("id").GetString()!));
            cursor = page.GetProperty("next_cursor").GetString();
            Assert.Equal(cursor is not null, page.GetProperty("has_more").GetBoolean());
        }
        while (cursor is not null);

        Assert.Equal(ids.Order(StringComparer.Ordinal).Reverse(), seen);
        Assert.Equal(ids.ToHashSet(), seen.ToHashSet());
    }

    [Fact]
    public async Task Lists_are_filtered_by_status_workflow_and_label()
    {
        var label = Guid.NewGuid().ToString();
        var more = $",\"label\":\"{label}\"";
        var completed = await server.StartInstanceAsync("""{"name":"filtered","do":[{"set":{"a":1}}]}""", more);
        var failed = await server.StartInstanceAsync("""{"do":[{"fail":"no"}]}""", more);
        var waiting = await server.StartInstanceAsync("""{"do":[{"sleep":"1h"}]}""", more);
        await server.InstanceAsync(completed, "20s");
        await server.InstanceAsync(failed, "20s");
        await TestServer.EventuallyAsync(
            async () => (await server.InstanceAsync(waiting)).GetProperty("status").GetString() == "waiting", "the sleeper parks");

        async Task<IEnumerable<string?>> ListAsync(string query) =>
            (await server.GetAsync($"instances?{query}&label={label}")).Json.GetProperty("data").EnumerateArray().Select(instance => instance.GetProperty("id").GetString());

        Assert.Equal([completed], await ListAsync("status=completed"));
        Assert.Equal([failed], await ListAsync("status=failed"));
        Assert.Equal([waiting], await ListAsync("status=waiting"));
        Assert.Equal([completed], await ListAsync("workflow=filtered"));
        Assert.Empty(await ListAsync("workflow=filtered&status=failed"));
        Assert.Equal([waiting, failed, completed], await ListAsync("limit=10"));
    }

    [Theory]
    [InlineData("instances?limit=0")]
    [InlineData("instances?limit=1001")]
    [InlineData("instances?limit=ten")]
    [InlineData("instances?status=done")]
    [InlineData("instances?cursor=%21%21")]
    [InlineData("instances?cursor=YWJj")]
    [InlineData("workflows/x?version=a")]
    [InlineData("vars/1x")]
    public async Task A_wrong_parameter_is_a_bad_request(string path)
    {
        var answer = await server.GetAsync(path);
        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (answer.Status, answer.ContentType));
        Assert.NotEmpty(answer.Json.GetProperty("detail").GetString()!);
    }

    [Fact]
    public async Task A_waiting_instance_says_what_it_waits_for()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"if":{"equals":[1,1]},"then":[{"sleep":"1h"}]}]}""");
        await TestServer.EventuallyAsync(
            async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() == "waiting", "it parks");

        var waiting = Assert.Single((await server.InstanceAsync(id)).GetProperty("waiting_on").EnumerateArray());
        Assert.Equal("/do/0/then/0", waiting.GetProperty("path").GetString());
        Assert.Equal("sleep", waiting.GetProperty("reason").GetString());
        Assert.InRange(waiting.GetProperty("until").GetDateTimeOffset() - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(58), TimeSpan.FromMinutes(61));
    }

    [Fact]
    public async Task A_get_that_waits_answers_at_the_end_or_when_its_time_is_over()
    {
        var quick = await server.StartInstanceAsync("""{"do":[{"sleep":"300ms"},{"return":"done"}]}""");
        Assert.Equal("done", (await server.InstanceAsync(quick, "30s")).GetProperty("result").GetString());

        var slow = await server.StartInstanceAsync("""{"do":[{"sleep":"1h"}]}""");
        Assert.NotEqual("completed", (await server.InstanceAsync(slow, "50ms")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Cancel_ends_a_parked_instance_a_running_one_and_a_delayed_one()
    {
        var parked = await server.StartInstanceAsync("""{"do":[{"sleep":"1h"}]}""");
        await TestServer.EventuallyAsync(
            async () => (await server.InstanceAsync(parked)).GetProperty("status").GetString() == "waiting", "it parks");
        var running = await server.StartInstanceAsync("""{"do":[{"sql":"select pg_sleep(600)","id":"long"}]}""");
        await TestServer.EventuallyAsync(() => RunsAsync("select pg_sleep(600)"), "the statement runs");
        var delayed = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""", ",\"delay\":\"1h\"");

        foreach (var id in new[] { parked, running, delayed })
        {
            var answer = await server.PostAsync($"instances/{id}/cancel", """{"reason":"changed my mind"}""");
            Assert.Equal(HttpStatusCode.Accepted, answer.Status);
            var ended = await server.InstanceAsync(id, "30s");
            Assert.Equal("cancelled", ended.GetProperty("status").GetString());
            Assert.Equal(
                """{"message":"changed my mind","path":null,"kind":null,"attempt":null,"code":"cancelled"}""", ended.GetProperty("error").GetRawText());
            Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/cancel", null)).Status);
        }

        Assert.False(await RunsAsync("select pg_sleep(600)"));
        Assert.Equal("cancelled", Assert.Single(await server.NodesAsync(running)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Nodes_tell_every_attempt()
    {
        var instance = await server.RunNodesAsync("""
            {"sql":"select 1 as a","as":"one","id":"first"},
            {"if":{"equals":["{{ one.a }}",1]},"then":[{"set":{"b":"{{ one.a }}"}}],"else":[{"fail":"no"}]},
            {"sql":"select 1/0","retry":{"attempts":2,"backoff":"1ms"}}
            """);
        Assert.Equal("failed", instance.GetProperty("status").GetString());
        var error = instance.GetProperty("error");
        Assert.Equal(
            ("division by zero", "/do/2", "sql", 2, "22012"),
            (error.GetProperty("message").GetString()!, error.GetProperty("path").GetString()!, error.GetProperty("kind").GetString()!,
                error.GetProperty("attempt").GetInt32(), error.GetProperty("code").GetString()!));

        Assert.Equal(["message", "path", "kind", "attempt", "code"], error.EnumerateObject().Select(member => member.Name));

        var nodes = await server.NodesAsync(instance.GetProperty("id").GetString()!);
        Assert.Equal(
            ["/do/0 sql 1 completed", "/do/1/then/0 set 1 completed", "/do/1 if 1 completed", "/do/2 sql 1 failed", "/do/2 sql 2 failed"],
            nodes.Select(node => $"{node.GetProperty("path")} {node.GetProperty("kind")} {node.GetProperty("attempt")} {node.GetProperty("status")}"));
        Assert.All(nodes, node => Assert.Equal(0, node.GetProperty("iteration").GetInt32()));
        Assert.All(nodes, node => Assert.NotEmpty(node.GetProperty("worker").GetString()!));

        var first = (await server.GetAsync($"instances/{instance.GetProperty("id").GetString()}/nodes?limit=2")).Json;
        Assert.True(first.GetProperty("has_more").GetBoolean());
        var rest = (await server.GetAsync($"instances/{instance.GetProperty("id").GetString()}/nodes?cursor={first.GetProperty("next_cursor").GetString()}")).Json;
        Assert.Equal(3, rest.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task Explain_draws_text_mermaid_and_json()
    {
        var instance = await server.RunNodesAsync("""
            {"sql":"select 1 as a","as":"one"},
            {"if":{"rows":"one"},"then":[{"set":{"b":2}}],"else":[{"fail":"\"no\""}]}
            """);
        var path = $"instances/{instance.GetProperty("id").GetString()}/explain";

        var text = await server.GetAsync(path, "text/plain");
        Assert.Equal("text/plain", text.ContentType);
        Assert.Contains("✓ sql select 1 as a → one", text.Text, StringComparison.Ordinal);
        Assert.Contains("– fail \"no\"", text.Text, StringComparison.Ordinal);
        var mermaid = await server.GetAsync(path, "text/vnd.mermaid");
        Assert.StartsWith("flowchart TD", mermaid.Text, StringComparison.Ordinal);
        Assert.Contains(":::skipped", mermaid.Text, StringComparison.Ordinal);
        var json = await server.GetAsync(path);
        Assert.Equal("completed", json.Json.GetProperty("status").GetString());
        var branches = json.Json.GetProperty("nodes")[1].GetProperty("branches");
        Assert.Equal("skipped", branches[1].GetProperty("nodes")[0].GetProperty("status").GetString());

        var dry = await server.PostAsync("workflows/explain", """{"do":[{"sql":"select 1"}]}""", ("Accept", "text/plain"));
        Assert.Contains("• sql select 1", dry.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_of_a_live_instance_shows_what_waits_and_what_is_to_come()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}},{"if":"{{ a }}","then":[{"sleep":"1h"},{"set":{"c":1}}],"else":[{"set":{"d":1}}]},{"set":{"e":1}}]}""");
        await TestServer.EventuallyAsync(
            async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() == "waiting", "it parks");

        var nodes = (await server.GetAsync($"instances/{id}/explain")).Json.GetProperty("nodes");
        Assert.Equal(["completed", "running", "pending"], nodes.EnumerateArray().Select(node => node.GetProperty("status").GetString()));
        var branches = nodes[1].GetProperty("branches");
        Assert.Equal(["waiting", "pending"], branches[0].GetProperty("nodes").EnumerateArray().Select(node => node.GetProperty("status").GetString()));
        Assert.Equal("skipped", branches[1].GetProperty("nodes")[0].GetProperty("status").GetString());
    }

    [Fact]
    public async Task Another_organisations_instance_does_not_exist()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        using var other = server.ClientWith(await Strangers.KeyAsync(fixture.ConnectionString));

        foreach (var path in new[] { "", "/nodes", "/explain" })
            Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync($"instances/{id}{path}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await other.PostAsync($"instances/{id}/cancel", null)).StatusCode);
        Assert.DoesNotContain(id, await other.GetStringAsync("instances"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"instances/{Guid.NewGuid()}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("instances/not-an-id")).Status);
    }

    private Task<bool> RunsAsync(string sql) => TestCluster.ScalarAsync<bool>(
        fixture.ConnectionString,
        $"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = '{sql}')");
}
