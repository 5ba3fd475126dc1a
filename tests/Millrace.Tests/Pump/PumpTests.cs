using System.Net;
using Microsoft.Extensions.Hosting;
using Millrace.Chaos;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

public sealed class PumpTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_thousand_instances_at_once_all_complete_in_one_process()
    {
        await using var server = await TestServer.StartAsync(connection);
        var starts = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => server.PostAsync(
            "instances", $$$"""{"definition":{"do":[{"sql":"select {{ input }} + 1 as n"}]},"input":{{{i}}} }""")));
        Assert.All(starts, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Status));
        for (var i = 0; i < starts.Length; i++)
        {
            var instance = await server.InstanceAsync(starts[i].Json.GetProperty("id").GetString()!, "60s");
            Assert.Equal(i + 1, instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetInt32());
        }

        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work"));
        Assert.Equal(1000, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution"));
    }

    [Fact]
    public async Task A_thousand_instances_at_once_all_complete_in_two_processes()
    {
        var key = KeyStore.NewKey();
        await using var one = ServerProcess.StartOn(connection, key, ("Millrace__Pump__MaxInstances", "50"));
        await using var two = ServerProcess.StartOn(connection, key, ("Millrace__Pump__MaxInstances", "50"));
        using var first = await one.ClientAsync(key);
        using var second = await two.ClientAsync(key);
        var batch = string.Join(',', Enumerable.Repeat("""{"definition":{"do":[{"sql":"create table if not exists t (a int)"},{"sql":"select pg_sleep(0.01)"}]}}""", 1000));
        using var content = new StringContent($"[{batch}]", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        await TestCluster.ExecuteAsync(connection, "create table t (a int)");
        var started = await Answer.OfAsync(await first.PostAsync("instances/batch", content));
        Assert.Equal(HttpStatusCode.Accepted, started.Status);

        foreach (var id in started.Json.GetProperty("ids").EnumerateArray())
        {
            var instance = await Answer.OfAsync(await second.GetAsync($"instances/{id.GetString()}?wait=60s"));
            Assert.Equal("completed", instance.Json.GetProperty("status").GetString());
        }

        Assert.Equal(2, await TestCluster.ScalarAsync<long>(connection, "select count(distinct worker) from millrace.node_execution"));
        Assert.Equal(2000, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution"));
    }

    [Fact]
    public async Task A_killed_workers_instances_go_on_elsewhere_from_where_they_were()
    {
        var key = KeyStore.NewKey();
        await using var doomed = ServerProcess.StartOn(connection, key, ("Millrace__Pump__Lease", "00:00:02"));
        using var client = await doomed.ClientAsync(key);
        await TestCluster.ExecuteAsync(connection, "create table steps (n int, at timestamptz default clock_timestamp()); create table gate (open boolean)");
        using var content = new StringContent(
            """{"definition":{"do":[{"sql":"insert into steps values (1)"},{"set":{"a":7}},{"if":{"sql":"select true"},"then":[{"sql":"select pg_sleep(case when exists (select from gate) then 0 else 600 end)"},{"sql":"insert into steps values ({{ a }}) returning n"}]}]}}""",
            new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        var id = (await Answer.OfAsync(await client.PostAsync("instances", content))).Json.GetProperty("id").GetString()!;
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where state = 'active' and query like 'select pg_sleep(case%' and datname = current_database())"),
            "the long statement runs");
        await doomed.KillAsync();
        await TestCluster.ExecuteAsync(connection, "insert into gate values (true)");

        await using var heir = await TestServer.StartAsync(connection);
        var instance = await heir.InstanceAsync(id, "60s");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        Assert.Equal("1,7", await TestCluster.ScalarAsync<string>(connection, "select string_agg(n::text, ',' order by at) from steps"));
        var nodes = await heir.NodesAsync(id);
        Assert.Equal(["/do/0", "/do/1", "/do/2/if", "/do/2/then/0", "/do/2/then/1", "/do/2"], nodes.Select(node => node.GetProperty("path").GetString()));
        Assert.Equal(2, nodes.Select(node => node.GetProperty("worker").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task An_instance_that_kills_worker_after_worker_is_failed()
    {
        await using (var idle = await TestServer.StartAsync(connection, ("Pump:Enabled", "false")))
        {
            await idle.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
            var claims = idle.Service<ClaimStore>();
            for (var i = 0; i < 5; i++)
            {
                for (short bucket = 0; bucket < idle.Service<Database>().Buckets; bucket++)
                {
                    foreach (var claimed in await claims.ClaimAsync(bucket, 10, TimeSpan.Zero, $"dies {i}", DateTimeOffset.MaxValue, CancellationToken.None))
                        await claims.BeginAsync(claimed.Lease.Key, CancellationToken.None);
                }
            }
        }

        await using var server = await TestServer.StartAsync(connection);
        var id = (await server.GetAsync("instances")).Json.GetProperty("data")[0].GetProperty("id").GetString()!;
        var instance = await server.InstanceAsync(id, "30s");
        Assert.Equal("worker_lost", instance.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_parked_instance_wakes_when_it_is_due_with_its_results()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:HoldWait", "00:00:00"));
        var instance = await server.RunNodesAsync("""
            {"sql":"select 41 as n","as":"r"},{"sleep":"700ms"},{"sql":"select {{ r.n }} + 1 as n"}
            """);
        Assert.Equal(42, instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetInt32());
        var nodes = await server.NodesAsync(instance.GetProperty("id").GetString()!);
        Assert.Equal("""{"slept":true,"seconds":0.7}""", nodes[1].GetProperty("result").GetRawText());
        Assert.InRange(nodes[1].GetProperty("duration_ms").GetDouble(), 700, 5000);
    }

    // A start is durable once it is stored: its caller learns that, and need not start again.
    [Fact]
    public async Task Calls_that_wait_are_answered_when_the_server_is_asked_to_stop()
    {
        var key = KeyStore.NewKey();
        await using var server = ServerProcess.StartOn(connection, key, ("Millrace__Pump__Enabled", "false"), ("Millrace__Pump__Grace", "00:00:00.1"));
        using var client = await server.ClientAsync(key);
        var start = client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "instances")
        {
            Content = new StringContent("""{"definition":{"do":[{"sql":"select pg_sleep(612)"}]}}""", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")),
            Headers = { { "Prefer", "wait=60" } },
        });
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select exists (select from millrace.work)"), "it is stored");
        var id = await TestCluster.ScalarAsync<Guid>(connection, "select id from millrace.work");
        var look = client.GetAsync($"instances/{id}?wait=60s");
        var pump = client.PostAsync("admin/pump", null);
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where state = 'active' and query like 'select pg_sleep(612)%' and datname = current_database())"),
            "the statement runs");

        Assert.Equal(0, await server.TerminateAsync());
        Assert.Equal(
            [System.Net.HttpStatusCode.Accepted, System.Net.HttpStatusCode.OK, System.Net.HttpStatusCode.OK],
            (await Task.WhenAll(start, look, pump)).Select(answer => answer.StatusCode));
        Assert.True(await TestCluster.ScalarAsync<bool>(connection, "select lease_token is null and ready_at <= now() and claims = 0 from millrace.work"));
    }

    [Fact]
    public async Task Drains_come_to_their_end_when_the_process_stops_the_one_that_runs_and_the_one_that_waits_for_its_turn()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        await server.StartInstanceAsync("""{"do":[{"sql":"select pg_sleep(613)"}]}""");
        var drain = server.Service<Drain>();
        var first = drain.RunAsync(TimeSpan.Zero, CancellationToken.None);
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where state = 'active' and query like 'select pg_sleep(613)%' and datname = current_database())"),
            "the statement runs");
        var second = drain.RunAsync(TimeSpan.Zero, CancellationToken.None);
        server.Service<IHostApplicationLifetime>().StopApplication();
        Assert.Equal((1, true), ((await first).Claimed, (await first).MoreIsReady));
        Assert.Equal((0, true), ((await second).Claimed, (await second).MoreIsReady));
        Assert.True(await TestCluster.ScalarAsync<bool>(connection, "select lease_token is null and ready_at <= now() and claims = 0 from millrace.work"));
    }

    [Fact]
    public async Task A_server_that_is_asked_to_stop_hands_its_instances_back()
    {
        var key = KeyStore.NewKey();
        await TestCluster.ExecuteAsync(connection, "create table steps (n int); create table gate (open boolean)");
        var server = ServerProcess.StartOn(connection, key, ("Millrace__Pump__Grace", "00:00:00.1"));
        await using (server)
        {
            using var client = await server.ClientAsync(key);
            using var content = new StringContent("""{"definition":{"do":[{"sql":"insert into steps values (1)"},{"set":{"a":1}},{"sql":"select pg_sleep(case when exists (select from gate) then 0 else 612 end)"},{"return":"{{ a }}"}]}}""", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
            await client.PostAsync("instances", content);
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where state = 'active' and query like 'select pg_sleep(case%' and datname = current_database())"),
                "the statement runs");
            Assert.Equal(0, await server.TerminateAsync());
        }

        Assert.True(await TestCluster.ScalarAsync<bool>(connection, "select lease_token is null and ready_at <= now() and claims = 0 from millrace.work"));
        Assert.False(await TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where query like 'select pg_sleep(case%' and state = 'active' and datname = current_database())"));

        // Whoever has it next begins again with the statement that was given up, and with nothing before it.
        await TestCluster.ExecuteAsync(connection, "insert into gate values (true)");
        await using var heir = await TestServer.StartAsync(connection);
        var id = (await heir.GetAsync("instances")).Json.GetProperty("data")[0].GetProperty("id").GetString()!;
        Assert.Equal(1, (await heir.InstanceAsync(id, "30s")).GetProperty("result").GetInt32());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from steps"));
        Assert.Equal(["/do/0", "/do/1", "/do/2", "/do/3"], (await heir.NodesAsync(id)).Select(node => node.GetProperty("path").GetString()));
    }

    [Fact]
    public async Task More_buckets_than_before_keep_old_instances_and_keys()
    {
        const string body = """{"definition":{"do":[{"set":{"a":1}}]}}""";
        var keys = Enumerable.Range(0, 20).Select(i => $"key-{i}").ToList();
        var before = new List<string>();
        await using (var few = await TestServer.StartAsync(connection, ("Store:Buckets", "2"), ("Pump:Enabled", "false")))
        {
            foreach (var key in keys)
                before.Add((await few.PostAsync("instances", body, ("Idempotency-Key", key))).Json.GetProperty("id").GetString()!);
        }

        await using var many = await TestServer.StartAsync(connection, ("Store:Buckets", "16"));
        foreach (var (key, id) in keys.Zip(before))
        {
            Assert.Equal(id, (await many.PostAsync("instances", body, ("Idempotency-Key", key))).Json.GetProperty("id").GetString());
            Assert.Equal("completed", (await many.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        }
    }

    [Fact]
    public async Task Fifty_callers_with_one_key_on_two_processes_start_one_instance()
    {
        var key = KeyStore.NewKey();
        await using var one = ServerProcess.StartOn(connection, key);
        using var first = await one.ClientAsync(key);
        await using var two = ServerProcess.StartOn(connection, key);
        using var second = await two.ClientAsync(key);
        for (var round = 0; round < 10; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(async caller =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "instances")
                {
                    Content = new StringContent($$$"""{"definition":{"do":[{"set":{"round":{{{round}}}}}]} }""", System.Text.Encoding.UTF8, "application/json"),
                    Headers = { { "Idempotency-Key", $"round-{round}" } },
                };
                using var response = await (caller % 2 == 0 ? first : second).SendAsync(request);
                return (response.StatusCode, Body: await response.Content.ReadAsStringAsync());
            }));
            Assert.Equal(HttpStatusCode.Accepted, answers[0].StatusCode);
            Assert.Single(answers.Distinct());
            Assert.Equal(round + 1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance"));
        }
    }

    [Fact]
    public async Task Ten_thousand_signals_that_race_with_parks_are_all_received()
    {
        // Every wait parks at once, and the next signal is sent while it does: whichever comes first, none may be lost. Two
        // servers, so that half of the signals go through the one that does not run the instance.
        const int instances = 50;
        const int turns = 200;
        await using var one = await TestServer.StartAsync(connection, ("Pump:HoldWait", "00:00:00"));
        await using var two = await TestServer.StartAsync(connection, ("ApiKey", one.Key), ("Pump:HoldWait", "00:00:00"));
        var definition = $$$"""{"do":[{"loop":[{"waitForSignal":"go","as":"s"}],"max":{{{turns}}} },{"return":"{{ s.data }}"}]}""";
        await Task.WhenAll(Enumerable.Range(0, instances).Select(async number =>
        {
            var random = new Random(number);
            var id = await one.StartInstanceAsync(definition);
            for (var turn = 1; turn <= turns; turn++)
            {
                var answer = await (random.Next(2) == 0 ? one : two).PostAsync($"instances/{id}/signals/go", $"{turn}");
                Assert.Equal(HttpStatusCode.Accepted, answer.Status);
                if (random.Next(3) == 0)
                    await Task.Yield();
                else
                    await Task.Delay(random.Next(12));
            }

            var ended = await one.InstanceAsync(id, "60s");
            Assert.Equal(("completed", turns), (ended.GetProperty("status").GetString(), ended.GetProperty("result").GetInt32()));
        }));
        Assert.Equal(instances * turns, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution where kind = 'waitForSignal'"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.signal"));
    }
}
