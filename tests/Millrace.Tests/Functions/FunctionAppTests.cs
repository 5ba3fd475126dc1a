using System.Text.Json;
using Millrace.Tests.Support;
using Millrace.Waking;

namespace Millrace.Tests.Functions;

/// <summary>The app's functions, called as the worker calls them, on a real store. Nothing runs but what is called.</summary>
public sealed class FunctionAppTests : IAsyncLifetime
{
    private const string Quick = """{"definition":{"do":[{"sql":"select 1 as n"}]}}""";
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_start_sends_a_token_whose_drain_runs_it()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        var started = await app.PostAsync("v1/instances", Quick);
        Assert.Equal(202, started.Status);
        var id = started.Json.GetProperty("id").GetString()!;
        Assert.Equal("pending", await app.StatusAsync(id));

        Assert.Empty(await app.WakeAsync(Assert.Single(started.Tokens)));
        Assert.Equal("completed", await app.StatusAsync(id));
        Assert.Empty(app.Sent);
    }

    [Fact]
    public async Task Starts_right_behind_each_other_send_one_token_and_large_batches_several()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Wake:Spacing", "00:00:20"), ("Wake:InstancesPerToken", "100"));
        Assert.Single((await app.PostAsync("v1/instances", Quick)).Tokens);
        Assert.Empty((await app.PostAsync("v1/instances", Quick)).Tokens);
        var batch = await app.PostAsync("v1/instances/batch", $"[{string.Join(',', Enumerable.Repeat(Quick, 298))}]");
        Assert.Equal(2, batch.Tokens.Length);
        Assert.Empty(await app.WakeAsync(batch.Tokens[0]));
        Assert.Equal(300, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome where status = 4"));
    }

    [Fact]
    public async Task Who_waits_for_the_end_has_the_token_sent_meanwhile()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        await using var worker = await FunctionApp.StartAsync(connection);
        app.OnSent = token => _ = worker.WakeAsync(token);
        var ended = await app.PostAsync("v1/instances", Quick, ("Prefer", "wait=30"));
        Assert.Equal(200, ended.Status);
        Assert.Equal("completed", ended.Json.GetProperty("status").GetString());
        Assert.Empty(ended.Tokens);
        Assert.Single(app.Sent);
    }

    [Fact]
    public async Task Calls_that_are_refused_send_nothing()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        var wrong = await app.PostAsync("v1/instances", """{"definition":{"do":[{"sleeep":"1s"}]}}""");
        Assert.Equal(422, wrong.Status);
        Assert.Empty(wrong.Tokens);
        var stranger = await app.PostAsync("v1/instances", Quick, ("Authorization", "Bearer mr_nobody_nobody_nobody"));
        Assert.Equal(401, stranger.Status);
        Assert.Empty(stranger.Tokens);
        Assert.Equal(404, (await app.GetAsync($"v1/instances/{Guid.CreateVersion7()}")).Status);
    }

    [Fact]
    public async Task What_no_token_tells_of_is_found_by_the_schedule()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        var id = (await app.PostAsync("v1/instances", Quick)).Json.GetProperty("id").GetString()!;
        Assert.Empty(await app.PumpAsync());
        Assert.Equal("completed", await app.StatusAsync(id));
    }

    [Fact]
    public async Task A_token_that_was_answered_calls_no_drain_and_one_of_nobodys_does()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        await app.PumpAsync();
        var id = (await app.PostAsync("v1/instances", Quick)).Json.GetProperty("id").GetString()!;
        Assert.Empty(await app.WakeAsync($"{new WakeToken(WakeReason.Ready, DateTimeOffset.UtcNow.AddMinutes(-1))}"));
        Assert.Equal("pending", await app.StatusAsync(id));
        await app.WakeAsync("wake up");
        Assert.Equal("completed", await app.StatusAsync(id));
    }

    [Fact]
    public async Task A_timer_has_its_token_held_back_until_it_is_due()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Pump:HoldWait", "00:00:00"));
        var started = await app.PostAsync("v1/instances", """{"definition":{"do":[{"sleep":"40s"},{"set":{"a":1}}]}}""");
        Assert.Empty(await app.WakeAsync(started.Tokens.Single()));
        var (token, delay) = Assert.Single(app.Sent);
        Assert.InRange(delay, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(40));
        Assert.Equal(WakeReason.Due, WakeToken.Parse(token)!.Reason);
        // It is told of once.
        await app.PumpAsync();
        Assert.Single(app.Sent);
    }

    [Fact]
    public async Task A_delayed_start_is_run_when_its_time_has_come()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        var started = await app.PostAsync("v1/instances", """{"definition":{"do":[{"set":{"a":1}}]},"delay":"1500ms"}""");
        Assert.Empty(await app.WakeAsync(started.Tokens.Single()));
        var (token, delay) = Assert.Single(app.Sent);
        await Task.Delay(delay);
        await app.WakeAsync(token);
        Assert.Equal("completed", await app.StatusAsync(started.Json.GetProperty("id").GetString()!));
    }

    [Fact]
    public async Task Signals_resumes_and_retries_send_tokens()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Wake:Spacing", "00:00:00.100"), ("Pump:HoldWait", "00:00:00"));
        var id = (await app.PostAsync("v1/instances", """{"definition":{"do":[{"waitForSignal":"go"},{"sql":"select 1 / (count(*)::int - 1) from pg_class where relname = 'lamp'","retry":{"attempts":1}}]}}""")).Json.GetProperty("id").GetString()!;
        await app.PumpAsync();
        Assert.Equal("waiting", await app.StatusAsync(id));
        await NextAsync($"v1/instances/{id}/suspend");
        await NextAsync($"v1/instances/{id}/signals/go");
        Assert.Equal("suspended", await app.StatusAsync(id));
        await TestCluster.ExecuteAsync(connection, "create table lamp (a int)");
        await NextAsync($"v1/instances/{id}/resume");
        Assert.Equal("failed", await app.StatusAsync(id));
        await TestCluster.ExecuteAsync(connection, "drop table lamp");
        await NextAsync($"v1/instances/{id}/retry");
        Assert.Equal("completed", await app.StatusAsync(id));

        async Task NextAsync(string path)
        {
            await Task.Delay(120);
            var answer = await app.PostAsync(path, null);
            Assert.True(answer.Status == 202, $"{path}: {answer.Text}");
            await app.WakeAsync(answer.Tokens.Single());
        }
    }

    [Fact]
    public async Task What_is_left_when_the_time_is_up_is_handed_back_and_a_token_passed_on()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Pump:DrainBudget", "00:00:02"));
        await TestCluster.ExecuteAsync(connection, "create table ran (n int)");
        var id = (await app.PostAsync("v1/instances", """{"definition":{"do":[{"sql":"insert into ran values (1)"},{"sql":{"query":"select pg_sleep(30)::text","readOnly":true}}]}}""")).Json.GetProperty("id").GetString()!;
        var token = WakeToken.Parse(Assert.Single(await app.PumpAsync()))!;
        Assert.Equal(WakeReason.Ready, token.Reason);
        Assert.Equal("pending", await app.StatusAsync(id));
        Assert.Null(await TestCluster.ScalarAsync<object?>(connection, "select max(leased_until) from millrace.work") as DateTime?);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from ran"));
    }

    [Fact]
    public async Task A_process_that_is_told_to_stop_hands_back_at_once()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        await app.PostAsync("v1/instances", """{"definition":{"do":[{"sql":{"query":"select pg_sleep(30)::text","readOnly":true}}]}}""");
        using var stop = new CancellationTokenSource();
        var draining = app.PumpAsync(stop.Token);
        await TestServer.EventuallyAsync(
            async () => await TestCluster.ScalarAsync<long>(connection, "select count(*) from pg_stat_activity where datname = current_database() and query like '%pg_sleep(30)%' and state = 'active' and pid <> pg_backend_pid()") == 1, "it runs");
        var stopped = System.Diagnostics.Stopwatch.StartNew();
        await stop.CancelAsync();
        Assert.NotNull(WakeToken.Parse(Assert.Single(await draining)));
        // Hosts give five seconds; the statement would have taken thirty.
        Assert.InRange(stopped.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work where leased_until > now()"));
    }

    [Fact]
    public async Task Drains_that_overlap_run_everything_once()
    {
        await TestCluster.ExecuteAsync(connection, "create table effect (n int)");
        await using var first = await FunctionApp.StartAsync(connection);
        await using var second = await FunctionApp.StartAsync(connection);
        var items = Enumerable.Range(0, 1500).Select(i => $$$"""{"definition":{"do":[{"sql":"insert into effect values ({{ input }}::int)"}]},"input":{{{i}}}}""");
        await first.PostAsync("v1/instances/batch", $"[{string.Join(',', items)}]");
        await Task.WhenAll(first.PumpAsync(), second.PumpAsync(), first.WakeAsync("a"), second.WakeAsync("b"), second.PumpAsync());
        Assert.Equal((1500L, 1500L), (
            await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"), await TestCluster.ScalarAsync<long>(connection, "select count(distinct n) from effect")));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work"));
    }

    [Fact]
    public async Task A_store_that_is_away_fails_the_call_so_that_the_message_comes_again()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Pump:DrainBudget", "00:00:01"));
        await TestCluster.DropDatabaseAsync(connection);
        await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => app.WakeAsync("wake up"));
    }

    [Fact]
    public async Task A_fan_out_calls_others_while_it_is_run()
    {
        await using var app = await FunctionApp.StartAsync(connection, ("Wake:InstancesPerToken", "50"), ("Pump:MaxInstances", "10"), ("Pump:ClaimBatch", "10"));
        var started = await app.PostAsync("v1/instances", """{"definition":{"do":[{"forEach":"{{ input }}","as":"n","spread":true,"do":[{"sql":{"query":"select pg_sleep(0.05)::text","readOnly":true}}]}]},"input":[INPUT]}""".Replace("INPUT", string.Join(',', Enumerable.Range(0, 400)), StringComparison.Ordinal));
        Assert.Equal(202, started.Status);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await app.WakeAsync(started.Tokens[0]);
        Assert.Equal("completed", await app.StatusAsync(started.Json.GetProperty("id").GetString()!));
        // At most eight within each second, which is the spacing.
        Assert.InRange(app.Sent.Count(sent => sent.Delay == TimeSpan.Zero), 1, 8 * (1 + (int)clock.Elapsed.TotalSeconds));
    }

    [Fact]
    public async Task Maintenance_makes_partitions()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        var partitions = await TestCluster.ScalarAsync<string[]>(connection, "select array_agg(inhrelid::regclass::text) from pg_inherits where inhparent = 'millrace.outcome'::regclass");
        await TestCluster.ExecuteAsync(connection, $"drop table {partitions.Max()}");
        await app.MaintainAsync();
        Assert.Equal(partitions.Length, await TestCluster.ScalarAsync<long>(connection, "select count(*) from pg_inherits where inhparent = 'millrace.outcome'::regclass"));
    }

    [Fact]
    public async Task All_calls_answer_as_the_servers_do()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        await using var server = await TestServer.StartAsync(connection, ("ApiKey", app.Key), ("Pump:Enabled", "false"));
        Assert.Equal(201, (await app.CallAsync("PUT", "v1/workflows/greet", """{"do":[{"set":{"hello":"{{ input.name }}"}}]}""")).Status);
        Assert.Equal(201, (await app.CallAsync("PUT", "v1/vars/colour", """{"value":"red"}""")).Status);
        var id = (await app.PostAsync("v1/instances", """{"workflow":"greet","input":{"name":"Ada"}}""")).Json.GetProperty("id").GetString()!;
        await app.PumpAsync();
        string[] paths =
        [
            "instances", $"instances/{id}", $"instances/{id}/nodes", "workflows", "workflows/greet", "workflows/greet/versions", "vars/colour", "vars/size",
            $"instances/{Guid.Empty}", "instances?limit=0", "health", "health/ready", "schemas/workflow.json", "openapi.json", $"instances/{id}/explain", "metrics",
        ];
        foreach (var path in paths)
        {
            var (ours, theirs) = (await app.GetAsync($"v1/{path}"), await server.GetAsync(path));
            Assert.Equal((path, (int)theirs.Status, theirs.Text), (path, ours.Status, ours.Text));
        }

        Assert.Equal(200, (await app.PostAsync("v1/workflows/validate", """{"do":[{"sleep":"1s"}]}""")).Status);
        Assert.Equal(200, (await app.PostAsync("v1/workflows/explain", """{"do":[{"sleep":"1s"}]}""")).Status);
        Assert.Equal(204, (await app.CallAsync("DELETE", "v1/vars/colour", null)).Status);
        Assert.Equal(204, (await app.CallAsync("DELETE", $"v1/instances/{id}", null)).Status);
        Assert.Equal(409, (await app.PostAsync($"v1/instances/{await StartAsync()}/retry", null)).Status);
        Assert.Equal(202, (await app.PostAsync($"v1/instances/{await StartAsync()}/cancel", null)).Status);

        async Task<string> StartAsync() => (await app.PostAsync("v1/instances", Quick)).Json.GetProperty("id").GetString()!;
    }

    [Fact]
    public async Task The_pump_can_be_run_by_a_call_and_its_lag_be_read()
    {
        await using var app = await FunctionApp.StartAsync(connection);
        await app.PostAsync("v1/instances", Quick);
        await TestCluster.ExecuteAsync(connection, "update millrace.work set ready_at = now() - interval '90 seconds'");
        Assert.InRange(await LagAsync(), 90, 120);
        var answer = (await app.PostAsync("v1/admin/pump", null)).Json;
        Assert.Equal((1, false, JsonValueKind.Null), (answer.GetProperty("claimed").GetInt32(), answer.GetProperty("more_is_ready").GetBoolean(), answer.GetProperty("next_due_seconds").ValueKind));
        Assert.Equal(0, await LagAsync());

        async Task<double> LagAsync() => double.Parse(
            (await app.GetAsync("v1/metrics")).Text.Split('\n').Single(line => line.StartsWith("millrace_pump_lag_seconds ", StringComparison.Ordinal)).Split(' ')[1],
            System.Globalization.CultureInfo.InvariantCulture);
    }
}
