using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Pump;

/// <summary>Sub-workflows and items that are instances of their own, on a real server.</summary>
public sealed class ChildrenTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private const string Key = "mr_a_key_for_two_servers_one_after_the_other";
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task A_sub_workflows_result_is_the_nodes_result()
    {
        await server.PutAsync("vars/region", """{"value":"eu"}""");
        await server.PutAsync("workflows/double", """{"do":[{"sql":"select {{ input.n }}::int * 2 as n","as":"r"},{"return":{"n":"{{ r.n }}","region":"{{ vars.region }}"}}]}""");
        var instance = await server.RunNodesAsync("""{"run":"double","input":{"n":"{{ input }}"},"as":"child"},{"return":"{{ child }}"}""", "21");
        Assert.Equal("""{"n":42,"region":"eu"}""", instance.GetProperty("result").GetRawText());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from millrace.child_end where parent_id = '" + instance.GetProperty("id").GetString() + "'"));
    }

    [Fact]
    public async Task A_sub_workflow_that_fails_fails_the_node_with_its_cause()
    {
        await server.PutAsync("workflows/broken", """{"do":[{"sql":"select * from nowhere_at_all","id":"look"}]}""");
        var error = (await server.RunNodesAsync("""{"run":"broken"}""")).GetProperty("error");
        Assert.Equal(("/do/0", "run", 1, "42P01"), (error.GetProperty("path").GetString(), error.GetProperty("kind").GetString(), error.GetProperty("attempt").GetInt32(), error.GetProperty("code").GetString()));
        Assert.Contains("of workflow \"broken\" failed at /do/0 (sql, attempt 1): relation \"nowhere_at_all\" does not exist", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("no_workflow", (await server.RunNodesAsync("""{"run":"not-there"}""")).GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_sub_workflow_that_is_not_waited_for_goes_on_by_itself()
    {
        await server.PutAsync("workflows/later", """{"do":[{"waitForSignal":"go"},{"return":"{{ input }}"}]}""");
        var instance = await server.RunNodesAsync("""{"run":"later","input":5,"wait":false}""");
        var id = instance.GetProperty("result").GetProperty("id").GetString()!;
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "the child waits");
        await server.PostAsync($"instances/{id}/signals/go", null);
        Assert.Equal("5", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Workflows_that_start_themselves_come_to_an_end()
    {
        await using var shallow = await TestServer.StartAsync(await TestCluster.CreateDatabaseAsync(), ("Limits:RunDepth", "4"));
        await shallow.PutAsync("workflows/endless", """{"name":"endless","do":[{"run":"endless"}]}""");
        var answer = await shallow.PostAsync("instances", """{"workflow":"endless"}""", ("Prefer", "wait=60"));
        Assert.Contains("workflows start each other more than 4 deep", answer.Json.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(5, (await shallow.GetAsync("instances?workflow=endless")).Json.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task Run_three_levels_deep_is_cancelled_from_the_top()
    {
        await server.PutAsync("workflows/level3", """{"do":[{"waitForSignal":"never"}]}""");
        await server.PutAsync("workflows/level2", """{"do":[{"join":[[{"run":"level3"}],[{"run":"level3"}]]}]}""");
        await server.PutAsync("workflows/level1", """{"do":[{"run":"level2"}]}""");
        var id = await server.StartInstanceAsync("""{"do":[{"run":"level1","timeout":"1h"}]}""");
        async Task<int> CountAsync(string workflow, string status) =>
            (await server.GetAsync($"instances?workflow={workflow}&status={status}")).Json.GetProperty("data").GetArrayLength();
        await TestServer.EventuallyAsync(async () => await CountAsync("level3", "waiting") == 2 && await CountAsync("level1", "waiting") == 1, "all levels wait");

        var wait = (await server.InstanceAsync(id)).GetProperty("waiting_on")[0];
        Assert.Equal(("children", 1, 1), (wait.GetProperty("reason").GetString(), wait.GetProperty("left").GetInt32(), wait.GetProperty("total").GetInt32()));
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/cancel", null)).Status);
        Assert.Equal("cancelled", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        await TestServer.EventuallyAsync(
            async () => await CountAsync("level3", "cancelled") == 2 && await CountAsync("level2", "cancelled") == 1 && await CountAsync("level1", "cancelled") == 1, "all levels are cancelled");
    }

    [Fact]
    public async Task A_race_that_is_lost_cancels_the_children_it_waited_for()
    {
        await server.PutAsync("workflows/slow-child", """{"do":[{"waitForSignal":"never"}]}""");
        var instance = await server.RunNodesAsync("""{"race":[[{"run":"slow-child"}],[{"sleep":"1200ms"}]]}""");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        await TestServer.EventuallyAsync(
            async () => (await server.GetAsync("instances?workflow=slow-child&status=cancelled")).Json.GetProperty("data").GetArrayLength() == 1, "the child is cancelled");
    }

    [Fact]
    public async Task Children_that_are_being_started_while_their_race_is_lost_are_cancelled_all_the_same()
    {
        await server.PutAsync("workflows/just-started", """{"do":[{"waitForSignal":"never"}]}""");
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table if not exists winner (n integer)");
        await using var database = new NpgsqlConnection(fixture.ConnectionString);
        await database.OpenAsync();
        await using (var transaction = await database.BeginTransactionAsync())
        {
            await Migrator.ExecuteAsync(database, "lock table millrace.child_group in share mode", CancellationToken.None);
            await server.StartInstanceAsync("""{"do":[{"race":[[{"run":"just-started"}],[{"sql":"insert into winner values (1)"}]]},{"waitForSignal":"never"}]}""");
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(
                    fixture.ConnectionString,
                    "select exists (select from winner) and exists (select from pg_locks where relation = 'millrace.child_group'::regclass and not granted)"),
                "one branch is done while the other still starts its child");
            // Time enough to tell the child, which is not there yet, that nobody waits for it.
            await Task.Delay(300);
            await transaction.RollbackAsync();
        }

        await TestServer.EventuallyAsync(
            async () => (await server.GetAsync("instances?workflow=just-started&status=cancelled")).Json.GetProperty("data").GetArrayLength() == 1, "the child is cancelled");
    }

    [Theory]
    [InlineData("")]
    // As one whose worker was lost before it had parked.
    [InlineData(", snapshot = null")]
    public async Task An_instance_that_is_given_up_takes_its_children_with_it(string lost)
    {
        var orphan = $"orphan-{lost.Length}";
        await server.PutAsync($"workflows/{orphan}", """{"do":[{"waitForSignal":"never"}]}""");
        await server.PutAsync($"workflows/free-{lost.Length}", """{"do":[{"waitForSignal":"never"}]}""");
        var id = await server.StartInstanceAsync($$"""{"do":[{"run":"free-{{lost.Length}}","wait":false},{"run":"{{orphan}}"}]}""");
        await TestServer.EventuallyAsync(
            async () => (await server.GetAsync($"instances?workflow={orphan}&status=waiting")).Json.GetProperty("data").GetArrayLength() == 1
                && (await server.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "both wait");
        await TestCluster.ExecuteAsync(fixture.ConnectionString, $"update millrace.work set claims = 100, ready_at = now(){lost} where id = '{id}'");
        Assert.Equal("worker_lost", (await server.InstanceAsync(id, "30s")).GetProperty("error").GetProperty("code").GetString());
        await TestServer.EventuallyAsync(
            async () => (await server.GetAsync($"instances?workflow={orphan}&status=cancelled")).Json.GetProperty("data").GetArrayLength() == 1, "the child is cancelled");
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/retry", null)).Status);
        Assert.Single((await server.GetAsync($"instances?workflow=free-{lost.Length}&status=waiting")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Items_of_a_cancelled_parent_are_undone_by_whoever_claims_them()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        string id;
        await using (var first = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:HoldWait", "00:00:00")))
        {
            await TestCluster.ExecuteAsync(connection, "create table undone (n integer)");
            id = await first.StartInstanceAsync("""
                {"do":[{"set":{"one":1}},{"forEach":[1,2,3],"item":"i","spread":true,"do":[
                  {"sql":"select 1 as n","compensate":[{"sql":"insert into undone values ({{ i }}::integer + {{ one }}::integer)"}]},{"waitForSignal":"never"}]}]}
                """);
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 4 from millrace.work where status = 2"), "all wait");
        }

        await using (var second = await TestServer.StartAsync(connection, ("ApiKey", Key)))
        {
            await second.PostAsync($"instances/{id}/cancel", null);
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select not exists (select from millrace.work)"), "all have ended");
            Assert.Equal("2 3 4", await TestCluster.ScalarAsync<string>(connection, "select string_agg(n::text, ' ' order by n) from undone"));
            await second.Service<Maintenance>().TendStoreAsync(CancellationToken.None);
            Assert.Equal(0, await TestCluster.ScalarAsync<long>(
                connection, "select (select count(*) from millrace.child_group) + (select count(*) from millrace.child) + (select count(*) from millrace.child_end)"));
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task Items_are_undone_though_their_parent_has_been_deleted_meanwhile()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        await using (var first = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:HoldWait", "00:00:00")))
        {
            await TestCluster.ExecuteAsync(connection, "create table undone (n integer)");
            var id = await first.StartInstanceAsync("""
                {"do":[{"set":{"one":1}},{"forEach":[1,2,3],"item":"i","spread":true,"do":[
                  {"sql":"select 1 as n","compensate":[{"sleep":"3s"},{"sql":"insert into undone values ({{ i }}::integer + {{ one }}::integer)"}]},{"waitForSignal":"never"}]}]}
                """);
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 4 from millrace.work where status = 2"), "all wait");
            await first.PostAsync($"instances/{id}/cancel", null);
            Assert.Equal("cancelled", (await first.InstanceAsync(id, "30s")).GetProperty("status").GetString());
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 3 and bool_and(cancel_requested and status = 2) from millrace.work"), "they are about to undo");
            Assert.Equal(HttpStatusCode.NoContent, (await first.SendAsync(HttpMethod.Delete, $"instances/{id}", null)).Status);
            Assert.Equal(HttpStatusCode.NotFound, (await first.GetAsync($"instances/{id}")).Status);
        }

        await using (var second = await TestServer.StartAsync(connection, ("ApiKey", Key)))
        {
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select not exists (select from millrace.work)"), "all have ended");
            Assert.Equal("2 3 4", await TestCluster.ScalarAsync<string>(connection, "select string_agg(n::text, ' ' order by n) from undone"));
            await second.Service<Maintenance>().TendStoreAsync(CancellationToken.None);
            Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.child_group"));
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task An_item_that_is_suspended_while_it_waits_for_its_turn_begins_when_it_is_resumed()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"forEach":[1,2],"spread":true,"concurrency":1,"do":[{"waitForSignal":"go"},{"set":{"n":1}}]}]}""");
        async Task<Guid> ItemAsync(int place) => await TestCluster.ScalarAsync<Guid>(
            fixture.ConnectionString, $"select coalesce((select child_id from millrace.child where parent_id = '{id}' and place = {place}), '00000000-0000-0000-0000-000000000000')");
        await TestServer.EventuallyAsync(async () => await ItemAsync(0) is var item && item != Guid.Empty && (await server.InstanceAsync($"{item}")).GetProperty("status").GetString() is "waiting", "the first one waits");
        var second = await ItemAsync(1);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{second}/suspend", null)).Status);
        await server.PostAsync($"instances/{await ItemAsync(0)}/signals/go", null);
        await server.InstanceAsync($"{await ItemAsync(0)}", "30s");
        Assert.True(await TestCluster.ScalarAsync<bool>(fixture.ConnectionString, $"select suspended and ready_at = 'infinity' and resume_at <= now() from millrace.work where id = '{second}'"));
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{second}/resume", null)).Status);
        await server.PostAsync($"instances/{second}/signals/go", null);
        Assert.Equal("""[{"n":1},{"n":1}]""", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task A_list_that_is_too_long_to_spread_is_refused()
    {
        await using var narrow = await TestServer.StartAsync(await TestCluster.CreateDatabaseAsync(), ("Limits:SpreadItems", "3"));
        var error = (await narrow.RunNodesAsync("""{"forEach":[1,2,3,4],"spread":true,"do":[{"set":{"n":1}}]}""")).GetProperty("error");
        Assert.Equal("too_many_items", error.GetProperty("code").GetString());
        Assert.Contains("Millrace:Limits:SpreadItems", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("forEach")]
    public async Task What_was_suspended_before_its_children_began_is_cancelled_without_them(string kind)
    {
        await server.PutAsync("workflows/unbegun", """{"do":[{"waitForSignal":"never"}]}""");
        var children = kind is "run" ? """{"run":"unbegun","compensate":[{"sql":"select 1"}]}""" : """{"forEach":[1,2],"spread":true,"do":[{"waitForSignal":"never"}],"compensate":[{"sql":"select 1"}]}""";
        var id = await server.StartInstanceAsync($$"""{"do":[{"sql":"select pg_sleep(0.5)"},{{children}}]}""");
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(fixture.ConnectionString, "select exists (select from pg_stat_activity where query like 'select pg_sleep(0.5)%' and state = 'active')"), "the node before runs");
        await server.PostAsync($"instances/{id}/suspend", null);
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "suspended" && (await server.NodesAsync(id)).Count == 1, "it is suspended");
        await server.PostAsync($"instances/{id}/cancel", null);
        Assert.Equal("cancelled", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, $"select count(*) from millrace.instance where parent_id = '{id}'"));
    }

    [Fact]
    public async Task Spread_items_are_instances_that_read_their_surroundings()
    {
        var instance = await server.RunAsync(
            """{"do":[{"set":{"factor":10}},{"forEach":"{{ input.list }}","item":"row","spread":true,"do":[{"sql":"select {{ row.n }}::int * {{ factor }}::int + {{ input.plus }}::int as n","as":"r"},{"set":{"out":"{{ r.n }}"}}]}]}""",
            """{"list":[{"n":1},{"n":2},{"n":3}],"plus":5}""");
        Assert.Equal("""[{"out":15},{"out":25},{"out":35}]""", instance.GetProperty("result").GetRawText());
        Assert.Equal("[]", (await server.RunNodesAsync("""{"forEach":[],"spread":true,"do":[{"fail":"never"}]}""")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task No_more_spread_items_run_at_once_than_said()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table if not exists at_once (n int)");
        var items = string.Join(',', Enumerable.Range(0, 12));
        var instance = await server.RunNodesAsync($$$"""
            {"forEach":[{{{items}}}],"spread":true,"concurrency":3,"do":[
                {"sql":"insert into at_once values (1) returning (select count(*) from pg_stat_activity where query like '%into at_once%' and state = 'active' and pid <> pg_backend_pid()) as others, pg_sleep(0.02)","as":"r"},
                {"set":{"n":"{{ r.others }}"} }]}
            """);
        var others = instance.GetProperty("result").EnumerateArray().Select(item => item.GetProperty("n").GetInt32()).ToList();
        Assert.Equal(12, others.Count);
        Assert.InRange(others.Max(), 0, 2);
    }

    [Fact]
    public async Task A_spread_item_that_fails_fails_the_node_and_a_retry_does_the_others_no_more()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table if not exists item_runs (n int)");
        var id = await server.StartInstanceAsync("""
            {"do":[{"forEach":[1,2,3],"spread":true,"concurrency":1,"do":[
                {"sql":"insert into item_runs values ({{ item }}) returning n","as":"r"},
                {"if":{"equals":["{{ item }}",2]},"then":[{"sql":"select * from only_later"}]},
                {"set":{"n":"{{ r.n }}"}}]}]}
            """);
        var failed = await server.InstanceAsync(id, "30s");
        Assert.Matches("item 1 \\(instance .*\\) failed at /do/0/do/1/then/0 \\(sql, attempt 1\\): relation", failed.GetProperty("error").GetProperty("message").GetString());
        await TestServer.EventuallyAsync(
            async () => await TestCluster.ScalarAsync<long>(fixture.ConnectionString, $"select count(*) from millrace.child c join millrace.work w on w.id = c.child_id where c.parent_id = '{id}'") == 0, "its siblings have ended");

        await TestCluster.ExecuteAsync(fixture.ConnectionString, "create table only_later as select 1 as one");
        await server.PostAsync($"instances/{id}/retry", null);
        var ended = await server.InstanceAsync(id, "30s");
        Assert.Equal("""[{"n":1},{"n":2},{"n":3}]""", ended.GetProperty("result").GetRawText());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(fixture.ConnectionString, "select count(*) from item_runs where n = 1"));
    }

    [Fact]
    public async Task A_forEach_over_ten_thousand_rows_is_spread_over_two_processes()
    {
        var key = KeyStore.NewKey();
        var connection = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(connection, "create table targets as select n from generate_series(1, 10000) as n; create table reached (n int primary key)");
        await using var first = ServerProcess.StartOn(connection, key);
        await using var second = ServerProcess.StartOn(connection, key);
        using var client = await first.ClientAsync(key);
        using var other = await second.ClientAsync(key);

        using var answer = await client.PostAsync("instances", new StringContent("""
            {"definition":{"do":[
                {"sql":"select n from targets order by n","as":"batch"},
                {"forEach":"{{ batch.rows }}","item":"row","spread":true,"do":[{"sql":"insert into reached values ({{ row.n }})"},{"set":{"n":"{{ row.n }}"}}],"as":"all"},
                {"return":"{{ all[9999].n }}"}]}}
            """, System.Text.Encoding.UTF8, "application/json"));
        var id = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString();
        JsonElement instance = default;
        for (var i = 0; i < 4 && (i == 0 || instance.GetProperty("ended_at").ValueKind is JsonValueKind.Null); i++)
            instance = await other.GetFromJsonAsync<JsonElement>($"instances/{id}?wait=60s");
        Assert.Equal("10000", instance.GetProperty("result").GetRawText());
        Assert.Equal(10_000, await TestCluster.ScalarAsync<long>(connection, "select count(*) from reached"));
        Assert.Equal(2, await TestCluster.ScalarAsync<long>(connection, $"select count(distinct worker) from millrace.node_execution where instance_id <> '{id}'"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.child"));
    }
}
