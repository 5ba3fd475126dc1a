using System.Net;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

/// <summary>Signals, suspend, resume, retry, cancel and delete, over HTTP on a real server.</summary>
public sealed class ControlTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task A_signal_reaches_the_instance_that_waits_for_it()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"paid","timeout":"1h"}]}""");
        await WaitingAsync(id);
        var wait = (await server.InstanceAsync(id)).GetProperty("waiting_on")[0];
        Assert.Equal(("/do/0", "signal", "paid"), (wait.GetProperty("path").GetString(), wait.GetProperty("reason").GetString(), wait.GetProperty("signal").GetString()));
        Assert.InRange(wait.GetProperty("until").GetDateTimeOffset() - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(61));

        var answer = await server.PostAsync($"instances/{id}/signals/paid", """{"by":"card"}""");
        Assert.Equal((HttpStatusCode.Accepted, $"/api/v1/instances/{id}"), (answer.Status, answer.Headers.Location?.ToString()));
        var ended = await server.InstanceAsync(id, "30s");
        Assert.Equal("""{"signal_name":"paid","timed_out":false,"data":{"by":"card"}}""", ended.GetProperty("result").GetRawText());
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/signals/paid", "1")).Status);
    }

    [Fact]
    public async Task Signals_that_come_before_the_instance_begins_are_kept_in_order()
    {
        var id = await server.StartInstanceAsync(
            """{"do":[{"loop":[{"waitForSignal":"n","as":"s"},{"set":{"all":["{{ all? }}","{{ s.data }}"]}}],"max":3},{"return":"{{ all }}"}]}""", ""","delay":"500ms" """);
        foreach (var data in new[] { "1", "2" })
            Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/n", data)).Status);
        Assert.Equal("pending", (await server.InstanceAsync(id)).GetProperty("status").GetString());
        await WaitingAsync(id);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/n", null)).Status);
        Assert.Equal("[[[null,1],2],null]", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, $"select count(*) from millrace.signal where instance_id = '{id}'"));
    }

    [Fact]
    public async Task A_wait_that_is_over_has_a_result_and_does_not_fail()
    {
        var instance = await server.RunNodesAsync("""{"waitForSignal":"never","timeout":"50ms"}""");
        Assert.Equal("""{"signal_name":"never","timed_out":true,"data":null}""", instance.GetProperty("result").GetRawText());
    }

    [Theory]
    [InlineData("not json", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("1", "text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("\"\\u0000\"", "application/json", HttpStatusCode.UnprocessableEntity)]
    public async Task A_bad_signal_is_refused(string body, string type, HttpStatusCode status)
    {
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"x"}]}""");
        Assert.Equal(status, (await server.PostAsync($"instances/{id}/signals/x", body, ("Content-Type", type))).Status);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await server.PostAsync($"instances/{id}/signals/x", $"\"{new string('x', 300_000)}\"")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.PostAsync($"instances/{Guid.NewGuid()}/signals/x", "1")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await server.PostAsync($"instances/{id}/signals/{new string('x', 257)}", "1")).Status);
        await server.PostAsync($"instances/{id}/cancel", null);
    }

    [Fact]
    public async Task More_signals_than_may_wait_are_refused_until_some_are_received()
    {
        await using var small = await TestServer.StartAsync(fixture.ConnectionString, ("Limits:WaitingSignals", "2"), ("Pump:Enabled", "false"));
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"}]}""");
        await WaitingAsync(id);
        Assert.Equal(HttpStatusCode.Accepted, (await small.PostAsync($"instances/{id}/signals/other", "1")).Status);
        await TestServer.EventuallyAsync(async () => (await small.PostAsync($"instances/{id}/signals/other", "1")).Status is HttpStatusCode.TooManyRequests, "the mailbox is full");
        Assert.Equal("waiting", (await server.InstanceAsync(id)).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/go", "1")).Status);
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_suspended_instance_begins_nothing_until_it_is_resumed()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"sleep":"1500ms"},{"sql":"select 1"}]}""");
        await WaitingAsync(id);
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/resume", null)).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/suspend", null)).Status);
        Assert.Equal("suspended", (await server.InstanceAsync(id)).GetProperty("status").GetString());
        Assert.Equal(id, (await server.GetAsync("instances?status=suspended")).Json.GetProperty("data")[0].GetProperty("id").GetString());

        await server.InstanceAsync(id, "2s");
        Assert.Equal("suspended", (await server.InstanceAsync(id)).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/resume", null)).Status);
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/suspend", null)).Status);
    }

    [Fact]
    public async Task What_runs_when_an_instance_is_suspended_ends_and_is_not_done_again()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table if not exists done (at timestamptz default clock_timestamp())");
        var id = await server.StartInstanceAsync("""{"do":[{"sql":"insert into done select from pg_sleep(0.7)"},{"sql":"insert into done default values"},{"sql":"select count(*) as n from done"}]}""");
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "running", "it runs");
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/suspend", null)).Status);
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "suspended", "it is suspended");
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from done"));
        await server.PostAsync($"instances/{id}/resume", null);
        Assert.Equal("""{"rows":[{"n":2}],"row_count":1}""", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task An_instance_that_is_suspended_before_it_begins_keeps_its_time()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""", ""","delay":"1h" """);
        await server.PostAsync($"instances/{id}/suspend", null);
        await server.PostAsync($"instances/{id}/resume", null);
        await server.InstanceAsync(id, "500ms");
        Assert.Equal("pending", (await server.InstanceAsync(id)).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/suspend", null)).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/cancel", """{"reason":"not needed"}""")).Status);
        Assert.Equal("cancelled", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_failed_instance_goes_on_from_the_nodes_that_failed()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table if not exists counted_runs (n int)");
        var id = await server.StartInstanceAsync("""
            {"do":[
                {"sql":"insert into counted_runs values (1) returning n","as":"first"},
                {"join":[[{"sql":"select n from not_there_yet","as":"late"}],[{"set":{"kept":1}}]]},
                {"return":["{{ first.n }}","{{ late.n }}","{{ kept }}"]}]}
            """);
        var failed = await server.InstanceAsync(id, "30s");
        Assert.Equal("42P01", failed.GetProperty("error").GetProperty("code").GetString());
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table not_there_yet as select 7 as n");

        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/retry", null)).Status);
        var ended = await server.InstanceAsync(id, "30s");
        Assert.Equal("[1,7,1]", ended.GetProperty("result").GetRawText());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from counted_runs"));
        Assert.Equal(failed.GetProperty("started_at").GetRawText(), ended.GetProperty("started_at").GetRawText());
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/retry", null)).Status);
    }

    [Fact]
    public async Task One_that_has_received_a_signal_before_it_failed_goes_on_too()
    {
        var id = await server.StartInstanceAsync("""
            {"do":[
                {"waitForSignal":"go","as":"go"},
                {"sql":"select n from not_there_after_a_signal","as":"late","retry":{"attempts":1}},
                {"return":["{{ go.data }}","{{ late.n }}"]}]}
            """);
        await server.PostAsync($"instances/{id}/signals/go", "5");
        Assert.Equal("failed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table not_there_after_a_signal as select 7 as n");

        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/retry", null)).Status);
        Assert.Equal("[5,7]", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task A_signal_that_came_in_the_moment_of_the_failure_is_there_for_the_retry()
    {
        var id = await server.StartInstanceAsync("""
            {"do":[
                {"waitForSignal":"go"},
                {"sql":"select n from not_there_before_two_signals","retry":{"attempts":1}},
                {"waitForSignal":"late","as":"late"},
                {"waitForSignal":"later","as":"later"},
                {"return":["{{ late.data }}","{{ later.data }}"]}]}
            """);
        await server.PostAsync($"instances/{id}/signals/go", "1");
        Assert.Equal("failed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        // As one that was accepted after the worker had last looked.
        await TestCluster.ExecuteAsync(fixture.ConnectionString, $"""
            create table not_there_before_two_signals as select 7 as n;
            insert into millrace.signal (bucket, instance_id, organisation_id, number, name, data)
            select bucket, id, organisation_id, 2, 'late', '2' from millrace.instance where id = '{id}'
            """);

        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/retry", null)).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/later", "3")).Status);
        Assert.Equal("[2,3]", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task An_instance_whose_effects_were_undone_cannot_be_retried()
    {
        var instance = await server.RunNodesAsync("""{"sql":"select 1","compensate":[{"sql":"select 2"}]},{"fail":"no"}""");
        Assert.Equal("failed", instance.GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{instance.GetProperty("id").GetString()}/retry", null)).Status);
    }

    [Fact]
    public async Task Cancelling_stops_what_runs_on_the_server_and_runs_compensations()
    {
        var id = await server.StartInstanceAsync("""
            {"do":[{"sql":"create table undone (a int)","compensate":[{"sleep":"1200ms"},{"sql":"drop table undone"}]},
                   {"join":[[{"sql":"select pg_sleep(623)"}],[{"http":"http://127.0.0.1:1/","retry":{"attempts":100,"backoff":"1h"} }]]}]}
            """);
        await TestServer.EventuallyAsync(
            async () => await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(623)' and state = 'active'") == 1, "it runs");
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/cancel", """{"reason":"changed my mind"}""")).Status);
        var ended = await server.InstanceAsync(id, "30s");
        Assert.Equal(("cancelled", "changed my mind"), (ended.GetProperty("status").GetString(), ended.GetProperty("error").GetProperty("message").GetString()));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(623)' and state = 'active'"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from pg_class where relname = 'undone'"));
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/retry", null)).Status);
    }

    [Fact]
    public async Task Only_an_ended_instance_can_be_deleted_and_nothing_of_it_is_left()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"sql":"select 1"},{"waitForSignal":"x"}]}""");
        await WaitingAsync(id);
        Assert.Equal(HttpStatusCode.Conflict, (await server.SendAsync(HttpMethod.Delete, $"instances/{id}", null)).Status);
        await server.PostAsync($"instances/{id}/signals/x", "1");
        await server.InstanceAsync(id, "30s");
        Assert.Equal(HttpStatusCode.NoContent, (await server.SendAsync(HttpMethod.Delete, $"instances/{id}", null)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"instances/{id}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.SendAsync(HttpMethod.Delete, $"instances/{id}", null)).Status);
        foreach (var table in new[] { "instance where id", "outcome where id", "work where id", "node_execution where instance_id", "signal where instance_id" })
            Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, $"select count(*) from millrace.{table} = '{id}'"));
    }

    [Fact]
    public async Task Another_organisations_instance_cannot_be_touched()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"x"}]}""");
        using var stranger = server.ClientWith(await Strangers.KeyAsync(fixture.ConnectionString));
        foreach (var call in new[] { "signals/x", "cancel", "suspend", "resume", "retry" })
        {
            using var answer = await stranger.PostAsync($"instances/{id}/{call}", null);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        using var deleted = await stranger.DeleteAsync($"instances/{id}");
        Assert.Equal(HttpStatusCode.NotFound, deleted.StatusCode);
        await server.PostAsync($"instances/{id}/cancel", null);
    }

    private Task WaitingAsync(string id) => TestServer.EventuallyAsync(
        async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "it waits");
}
