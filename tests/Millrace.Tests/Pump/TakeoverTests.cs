using System.Net;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Faults;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>Workers that are stopped, or die, and what becomes of what they were doing.</summary>
public sealed class TakeoverTests : IAsyncLifetime
{
    private const string Key = "mr_a_key_for_workers_that_are_stopped";
    private string connection = "";

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(connection, "create table effect (worker text, number bigint generated always as identity)");
    }

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData(FaultPoint.CheckpointStoring)]
    [InlineData(FaultPoint.SqlExecuted)]
    public async Task A_paused_worker_that_wakes_after_the_takeover_changes_nothing(string place)
    {
        await using var paused = ServerProcess.StartOn(
            connection, Key, ("Millrace__Pump__Lease", "00:00:01"), ("MILLRACE_FAULT", $"{place}=stop"));
        using var client = await paused.ClientAsync(Key);
        using var body = new StringContent(
            """{"definition":{"do":[{"sql":"insert into effect (worker) values (current_setting('application_name')) returning number","as":"e"},{"return":"{{ e.number }}"}]}}""",
            System.Text.Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("instances", body);
        var id = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("id").GetString()!;
        await paused.StoppedAsync();

        await using var living = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Lease", "00:00:01"));
        var instance = await living.InstanceAsync(id, "30s");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        var history = await living.NodesAsync(id);

        await paused.ResumeAsync();
        // By its next renewal or by its next checkpoint, whichever it comes to first.
        await TestServer.EventuallyAsync(
            () => Task.FromResult(paused.Output.Any(line =>
                line.Contains($"late checkpoint of instance {id} was refused", StringComparison.Ordinal)
                || line.Contains($"lease of instance {id} is lost", StringComparison.Ordinal))),
            "it finds out");
        Assert.Equal(0, await paused.TerminateAsync());

        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
        Assert.Equal(instance.GetRawText(), (await living.InstanceAsync(id)).GetRawText());
        Assert.Equal(history.Select(node => node.GetRawText()), (await living.NodesAsync(id)).Select(node => node.GetRawText()));
        Assert.Single(history.Select(node => node.GetProperty("worker").GetString()).Distinct());
        Assert.Equal(
            await TestCluster.ScalarAsync<long>(connection, "select number from effect"), instance.GetProperty("result").GetInt64());
    }

    [Fact]
    public async Task The_statement_of_a_killed_worker_ends_on_the_server()
    {
        await using var killed = ServerProcess.StartOn(connection, Key);
        using var client = await killed.ClientAsync(Key);
        using var body = new StringContent("""{"definition":{"do":[{"sql":"select pg_sleep(1234)"}]}}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("instances", body);
        const string running = "select count(*) > 0 from pg_stat_activity where datname = current_database() and query like 'select pg_sleep(1234)%' and state = 'active'";
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, running), "it runs");
        await killed.KillAsync();
        await TestServer.EventuallyAsync(async () => !await TestCluster.ScalarAsync<bool>(connection, running), "it ends");
    }

    [Fact]
    public async Task Workers_that_are_lost_count_only_while_nothing_is_done_in_between()
    {
        // Each worker does one node and dies; two of them may be lost in a row, and there are four.
        await using (var server = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Enabled", "false")))
        {
            await server.StartInstanceAsync("""{"do":[{"loop":[{"sql":"insert into effect (worker) values ('w')"}],"max":5},{"return":"done"}]}""");
        }

        for (var i = 0; i < 4; i++)
        {
            await using var worker = ServerProcess.StartOn(
                connection, Key, ("Millrace__Pump__Lease", "00:00:01"), ("Millrace__Pump__MaxTakeovers", "2"), ("MILLRACE_FAULT", FaultPoint.CheckpointStored));
            Assert.Equal(137, await worker.ExitAsync());
        }

        await using var last = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Lease", "00:00:01"), ("Pump:MaxTakeovers", "2"));
        var id = await TestCluster.ScalarAsync<Guid>(connection, "select id from millrace.instance");
        Assert.Equal("completed", (await last.InstanceAsync($"{id}", "30s")).GetProperty("status").GetString());
        Assert.Equal(5, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
    }

    [Fact]
    public async Task What_waits_for_its_last_chance_keeps_nobody_else_from_being_run()
    {
        await using (var idle = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Enabled", "false")))
        {
            for (var i = 0; i < 3; i++)
                await idle.StartInstanceAsync("""{"do":[{"sql":"select pg_sleep(600)"}]}""");
        }

        // As the third of three workers has left them that were lost one after the other.
        await TestCluster.ExecuteAsync(
            connection, "update millrace.work set status = 1, claims = 2, lease_token = 1, worker = 'lost', leased_until = now(), started_at = now(), begun = true");
        await using var server = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:MaxInstances", "2"), ("Pump:MaxTakeovers", "3"));
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 3 from millrace.work where worker <> 'lost'"), "all are taken over");
        Assert.Equal("completed", (await server.RunNodesAsync("""{"return":1}""")).GetProperty("status").GetString());
        await TestCluster.ExecuteAsync(connection, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%pg_sleep(600)%' and pid <> pg_backend_pid()");
    }

    // As a worker leaves an instance that is lost with it.
    private const string Lose = "update millrace.work set status = 1, claims = 1, lease_token = 1, worker = 'lost', leased_until = now(), ready_at = now(), begun = true";

    [Fact]
    public async Task A_signal_that_came_in_time_is_received_whoever_takes_over_after_the_time()
    {
        string id;
        await using (var first = await TestServer.StartAsync(connection, ("ApiKey", Key)))
        {
            id = await first.StartInstanceAsync("""{"do":[{"waitForSignal":"s","timeout":"3s","as":"w"},{"return":"{{ w.timed_out }}"}]}""");
            await TestServer.EventuallyAsync(async () => (await first.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "it waits");
        }

        await using (var idle = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Enabled", "false")))
            Assert.Equal(HttpStatusCode.Accepted, (await idle.PostAsync($"instances/{id}/signals/s", null)).Status);
        await TestCluster.ExecuteAsync(connection, $"{Lose}, snapshot = replace(snapshot::text, to_char(now() at time zone 'utc', 'YYYY-MM-DD'), '2020-01-01')::json");
        await using var second = await TestServer.StartAsync(connection, ("ApiKey", Key));
        var ended = await second.InstanceAsync(id, "30s");
        Assert.True(ended.GetProperty("result").ValueKind is JsonValueKind.False, ended.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(""","compensate":[{"sql":"select 1"}]""")]
    public async Task Children_of_what_is_taken_over_after_its_time_are_told(string compensate)
    {
        string id;
        await using (var first = await TestServer.StartAsync(connection, ("ApiKey", Key)))
        {
            await first.PutAsync("workflows/child", """{"do":[{"waitForSignal":"never"}]}""");
            id = await first.StartInstanceAsync($$"""{"do":[{"run":"child","timeout":"1h"{{compensate}}}]}""");
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 2 from millrace.work where status = 2"), "both wait");
        }

        await TestCluster.ExecuteAsync(connection, $"{Lose}, snapshot = replace(snapshot::text, to_char(now() at time zone 'utc', 'YYYY-MM-DD'), '2020-01-01')::json where id = '{id}'");
        await using var second = await TestServer.StartAsync(connection, ("ApiKey", Key));
        Assert.Equal("timeout", (await second.InstanceAsync(id, "30s")).GetProperty("error").GetProperty("code").GetString());
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select not exists (select from millrace.work)"), "nothing is left");
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome where status = 6"));
    }

    [Fact]
    public async Task One_whose_definition_cannot_be_read_is_tried_and_ends_and_one_that_is_cancelled_likewise()
    {
        await using var server = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:MaxTakeovers", "2"));
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"s"},{"sql":"select 1"}]}""");
        var other = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"s"},{"sql":"select 2"}]}""");
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select count(*) = 2 from millrace.work where status = 2"), "both wait");
        await TestCluster.ExecuteAsync(connection, "update millrace.definition set document = replace(document::text, '\"sql\"', '\"later\"')::json");
        await using var second = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:MaxTakeovers", "2"));
        await server.DisposeAsync();
        foreach (var waiting in new[] { id, other })
            await second.PostAsync($"instances/{waiting}/signals/s", null);
        await second.PostAsync($"instances/{other}/cancel", null);
        // Another process may be able to undo what it has done, so this one does not end it at once either.
        var cancelled = await second.InstanceAsync(other, "60s");
        Assert.Equal("cancelled", cancelled.GetProperty("status").GetString());
        Assert.Contains("was not undone", cancelled.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        var error = (await second.InstanceAsync(id, "60s")).GetProperty("error");
        Assert.Equal("definition", error.GetProperty("code").GetString());
        Assert.Contains("/do/1", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_a_row_is_locked_for_longer_than_its_lease_nobody_begins_before_the_other_has_stopped()
    {
        (string, string)[] settings = [("ApiKey", Key), ("Pump:Lease", "00:00:02"), ("Pump:PollInterval", "00:00:00.050")];
        await using var first = await TestServer.StartAsync(connection, settings);
        await using var second = await TestServer.StartAsync(connection, settings);
        // Who finds another one executing it says so where no rollback takes it back.
        await TestCluster.ExecuteAsync(connection, "create sequence met");
        await TestCluster.ExecuteAsync(connection, """
            create function alone() returns void language plpgsql as $f$
            begin
              if not pg_try_advisory_xact_lock(4711) then
                perform nextval('met');
              end if;
              perform pg_sleep(5);
            end $f$
            """);
        var id = await first.StartInstanceAsync("""{"do":[{"sql":"select alone()"},{"return":1}]}""");
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select exists (select from millrace.work where worker is not null)"), "it runs");
        await using (var holder = new Npgsql.NpgsqlConnection($"{connection};Pooling=false"))
        {
            await holder.OpenAsync();
            await using var transaction = await holder.BeginTransactionAsync();
            await using var hold = new Npgsql.NpgsqlCommand("select from millrace.work for update", holder);
            await hold.ExecuteNonQueryAsync();
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until < now() - interval '1 second') from millrace.work"), "its lease ran out some time ago");
        }

        Assert.Equal("completed", (await first.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.False(await TestCluster.ScalarAsync<bool>(connection, "select is_called from met"));
    }

    [Fact]
    public async Task One_that_takes_its_workers_down_takes_nobody_with_it()
    {
        ServerProcess? running = null;
        await using var receiver = await Receiver.StartAsync(async (_, _) => await running!.KillAsync());
        await using (var idle = await TestServer.StartAsync(connection, ("ApiKey", Key), ("Pump:Enabled", "false")))
        {
            var others = string.Join(',', Enumerable.Repeat("""{"definition":{"do":[{"sql":"select pg_sleep(0.1)"},{"sql":"select pg_sleep(0.1)"}]}}""", 30));
            Assert.Equal(HttpStatusCode.Accepted, (await idle.PostAsync(
                "instances/batch",
                $$$"""[{{{others}}},{"definition":{"do":[{"http":{"url":"{{{receiver.Address}}}/","method":"GET"}}]},"label":"deadly"},{{{others}}}]""")).Status);
        }

        var lives = 0;
        for (var isOver = false; !isOver; lives++)
        {
            Assert.True(lives < 20, "it goes on for ever");
            running = ServerProcess.StartOn(
                connection, Key, ("Millrace__Pump__Lease", "00:00:01"), ("Millrace__Pump__MaxTakeovers", "3"), ("Millrace__Sql__PoolSize", "2"),
                ("Millrace__Http__AllowPrivateNetworks", "true"));
            await using var life = running;
            await TestServer.EventuallyAsync(
                async () => life.Process.HasExited || (isOver = await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome") == 61), "it dies, or is done");
        }

        Assert.True(lives > 3, $"it died {lives - 1} times only");
        Assert.Equal("deadly", await TestCluster.ScalarAsync<string>(
            connection, "select string_agg(coalesce(label, 'another'), ',') from millrace.outcome join millrace.instance using (bucket, id) where status <> 4"));
    }
}
