using System.Net;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

public sealed class StartTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task A_start_that_waits_answers_with_the_result()
    {
        var answer = await server.PostAsync("instances", """{"definition":{"do":[{"sql":"select 1"}]}}""", ("Prefer", "wait=10"));

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("""{"rows":[{"?column?":1}],"row_count":1}""", answer.Json.GetProperty("result").GetRawText());
        Assert.Equal("completed", answer.Json.GetProperty("status").GetString());
        Assert.Equal(
            ["id", "workflow", "version", "label", "status", "input", "result", "error", "created_at", "started_at", "ended_at", "waiting_on"],
            answer.Json.EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public async Task A_start_that_does_not_wait_tells_where_to_look()
    {
        var answer = await server.PostAsync("instances", """{"definition":{"do":[{"set":{"a":1}}]},"label":"l","input":{"z":1,"a":[2]}}""");

        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        var id = answer.Json.GetProperty("id").GetString();
        Assert.Equal($"/api/v1/instances/{id}", answer.Headers.Location!.ToString());
        Assert.Equal("1", answer.Headers.RetryAfter!.ToString());
        Assert.Equal($"/api/v1/instances/{id}/nodes", answer.Json.GetProperty("links").GetProperty("nodes").GetString());

        var instance = await server.InstanceAsync(id!, wait: "10s");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        Assert.Equal("""{"z":1,"a":[2]}""", instance.GetProperty("input").GetRawText());
        Assert.Equal("l", instance.GetProperty("label").GetString());
    }

    [Fact]
    public async Task A_wait_that_is_over_before_the_end_answers_202()
    {
        var answer = await server.PostAsync("instances", """{"definition":{"do":[{"sleep":"1h"}]}}""", ("Prefer", "wait=0"));
        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
    }

    [Fact]
    public async Task The_same_key_and_body_start_one_instance()
    {
        const string body = """{"definition":{"do":[{"set":{"a":1}}]}}""";
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => server.PostAsync("instances", body, ("Idempotency-Key", "one"))));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Status));
        Assert.Single(answers.Select(answer => answer.Json.GetProperty("id").GetString()).Distinct());

        var spaced = await server.PostAsync("instances", """{ "definition": {"do": [{"set": {"a": 1}}]} }""", ("Idempotency-Key", "one"));
        Assert.Equal(answers[0].Json.GetProperty("id").GetString(), spaced.Json.GetProperty("id").GetString());
        var other = await server.PostAsync("instances", """{"definition":{"do":[{"set":{"a":2}}]}}""", ("Idempotency-Key", "one"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.Status);
    }

    [Fact]
    public async Task A_batch_answers_ids_in_order()
    {
        var items = Enumerable.Range(0, 25).Select(i => $$$"""{"definition":{"do":[{"return":"{{ input }}"}]},"input":{{{i}}} }""").ToList();
        var asArray = await server.PostAsync("instances/batch", $"[{string.Join(',', items)}]");
        var asLines = await server.PostAsync("instances/batch", string.Join('\n', items) + "\n\n", ("Content-Type", "application/x-ndjson"));

        foreach (var answer in new[] { asArray, asLines })
        {
            Assert.Equal(HttpStatusCode.Accepted, answer.Status);
            var ids = answer.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!).ToList();
            Assert.Equal(25, ids.Distinct().Count());
            for (var i = 0; i < ids.Count; i++)
                Assert.Equal(i, (await server.InstanceAsync(ids[i], "20s")).GetProperty("result").GetInt32());
        }
    }

    [Fact]
    public async Task A_batch_is_all_or_nothing()
    {
        var label = Guid.NewGuid().ToString();
        var good = $$$"""{"definition":{"do":[{"set":{"a":1}}]},"label":"{{{label}}}"}""";
        var wrong = await server.PostAsync("instances/batch", $$$"""[{{{good}}},{"definition":{"do":[]}},{"workflow":"no such","label":7}]""");
        var unknown = await server.PostAsync("instances/batch", $$"""[{{good}},{"workflow":"nowhere"}]""");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, wrong.Status);
        Assert.Equal(
            ["/1/definition/do", "/2/label", "/2/workflow"],
            wrong.Json.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("pointer").GetString()).Order(StringComparer.Ordinal));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, unknown.Status);
        Assert.Empty((await server.GetAsync($"instances?label={label}")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task A_batch_under_a_key_starts_once()
    {
        const string body = """[{"definition":{"do":[{"set":{"a":1}}]}},{"definition":{"do":[{"set":{"a":1}}]}}]""";
        var first = await server.PostAsync("instances/batch", body, ("Idempotency-Key", "batch"));
        var second = await server.PostAsync("instances/batch", body, ("Idempotency-Key", "batch"));

        Assert.Equal(HttpStatusCode.Accepted, first.Status);
        Assert.Equal(first.Text, second.Text);
        Assert.Equal(2, first.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()).Distinct().Count());
    }

    [Fact]
    public async Task A_delayed_start_begins_when_it_is_due()
    {
        var answer = await server.PostAsync("instances", """{"definition":{"do":[{"sql":"select 1"}]},"delay":"300ms"}""", ("Prefer", "wait=20"));

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.True(Time(answer.Json, "started_at") - Time(answer.Json, "created_at") >= TimeSpan.FromMilliseconds(300));

        var later = await server.PostAsync("instances", """{"definition":{"do":[{"sql":"select 1"}]},"run_at":"2099-01-01T00:00:00+01:00"}""");
        Assert.Equal("pending", (await server.InstanceAsync(later.Json.GetProperty("id").GetString()!)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Urgent_instances_go_first()
    {
        // Nothing claims while these are stored, so the order of claims is the order of priorities.
        var connection = await TestCluster.CreateDatabaseAsync();
        await using (var idle = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "1")))
        {
            foreach (var priority in new[] { 9, 5, 0, 7 })
                await idle.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""", $$""","priority":{{priority}},"label":"p{{priority}}" """);
        }

        await using var busy = await TestServer.StartAsync(connection, ("Pump:MaxInstances", "1"), ("Store:Buckets", "1"));
        await TestServer.EventuallyAsync(
            async () => (await busy.GetAsync("instances?status=completed")).Json.GetProperty("data").GetArrayLength() == 4, "all four end");
        var order = (await busy.GetAsync("instances")).Json.GetProperty("data").EnumerateArray()
            .OrderBy(instance => Time(instance, "ended_at"))
            .Select(instance => instance.GetProperty("label").GetString());
        Assert.Equal(["p0", "p5", "p7", "p9"], order);
    }

    private static DateTimeOffset Time(JsonElement instance, string name) => instance.GetProperty(name).GetDateTimeOffset();
}
