using System.Diagnostics;
using System.Net;
using Millrace.Chaos;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Pump;

/// <summary>What protects a process from what is asked of it.</summary>
public sealed class LimitTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_flood_of_starts_is_turned_away_before_anything_else_suffers()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:StartQueue", "50"), ("Store:StartBatch", "10"), ("Limits:RequestBytes", "1048576"));
        var known = (await server.RunNodesAsync("""{"set":{"a":1}}""")).GetProperty("id").GetString()!;
        var waiting = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"}]}""");
        var large = $"[{string.Join(',', Enumerable.Repeat($$$"""{"definition":{"do":[{"set":{"a":1}}]},"input":"{{{new string('x', 100_000)}}}"}""", 6))}]";

        await using var blocker = new NpgsqlConnection(connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("lock table millrace.instance in share mode", blocker))
            await hold.ExecuteNonQueryAsync();

        // Small ones fill the queue, large ones the room for bodies.
        var starts = Enumerable.Range(0, 300).Select(_ => server.PostAsync("instances", """{"definition":{"do":[{"set":{"a":1}}]}}""")).ToList();
        var batches = Enumerable.Range(0, 6).Select(_ => server.PostAsync("instances/batch", large)).ToList();
        await TestServer.EventuallyAsync(() => Task.FromResult(starts.Count(start => start.IsCompleted) >= 200 && batches.Count(batch => batch.IsCompleted) >= 4), "most are turned away");
        foreach (var refused in starts.Concat(batches).Where(start => start.IsCompleted))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await refused).Status);
            Assert.NotNull((await refused).Headers.RetryAfter);
        }

        // Everybody else is served meanwhile, and what runs goes on.
        var clock = Stopwatch.StartNew();
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync($"instances/{known}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("instances")).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{waiting}/signals/go", "{}")).Status);
        Assert.Equal("completed", (await server.InstanceAsync(waiting, "10s")).GetProperty("status").GetString());

        await transaction.RollbackAsync();
        var accepted = 0;
        foreach (var start in starts.Concat(batches))
            accepted += (await start).Status is HttpStatusCode.Accepted ? 1 : 0;
        Assert.InRange(accepted, 1, 100);
        await TestServer.EventuallyAsync(async () => await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work") == 0, "what was accepted ends");
    }

    [Fact]
    public async Task What_is_worked_on_at_once_is_bounded_by_its_size_too()
    {
        await using (var idle = await TestServer.StartAsync(connection, ("Pump:Enabled", "false")))
        {
            var items = Enumerable.Repeat($$"""{"definition":{"do":[{"sql":"select pg_sleep(0.05)"}]},"input":"{{new string('x', 200_000)}}"}""", 20);
            for (var i = 0; i < 3; i++)
                Assert.Equal(HttpStatusCode.Accepted, (await idle.PostAsync("instances/batch", $"[{string.Join(',', items)}]")).Status);
        }

        // A batch takes a hundred, and a megabyte has room for five: only the first guess at their size may be wrong.
        await using var server = await TestServer.StartAsync(connection, ("Pump:MaxStateBytes", "1048576"), ("Pump:ClaimBatch", "8"));
        var most = 0L;
        await TestServer.EventuallyAsync(
            async () =>
            {
                most = Math.Max(most, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work where lease_token is not null"));
                return await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work") == 0;
            },
            "all end");
        Assert.InRange(most, 1, 14);
        Assert.Equal(60, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome where status = 4"));
    }

    [Fact]
    public async Task A_huge_value_fails_its_node_alone_and_nobody_needs_the_memory_for_it()
    {
        // In a process of its own, whose memory can be measured.
        const string key = "mr_a_key_for_a_server_that_is_weighed";
        await using var server = ServerProcess.StartOn(connection, key, ("DOTNET_gcServer", "0"));
        using var client = await server.ClientAsync(key);
        await TestCluster.ExecuteAsync(connection, "create table effect (a int)");
        foreach (var (sql, code) in new[]
        {
            ("select repeat('x', 150000000)", "result_too_large"), ("select generate_series(1, 100000000)", "result_too_large"),
            ("insert into effect values (1) returning repeat('x', 150000000)", "result_too_large"),
            ("select 1", null),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "instances")
            {
                Content = new StringContent($$$"""{"definition":{"do":[{"sql":"{{{sql}}}"}]}}""", System.Text.Encoding.UTF8, "application/json"),
                Headers = { { "Prefer", "wait=60" } },
            };
            var error = (await Answer.OfAsync(await client.SendAsync(request))).Json.GetProperty("error");
            Assert.Equal(code, error.ValueKind is System.Text.Json.JsonValueKind.Null ? null : error.GetProperty("code").GetString());
        }

        server.Process.Refresh();
        Assert.InRange(server.Process.PeakWorkingSet64, 1, 250L << 20);
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(
            connection, "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'millrace-sql' and state <> 'idle'"));
    }
}
