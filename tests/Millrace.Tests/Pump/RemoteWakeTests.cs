using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>A process that only takes starts tells those that pump, which need not poll for it.</summary>
public sealed class RemoteWakeTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_start_and_a_signal_elsewhere_wake_a_pump_that_sleeps_for_long()
    {
        await using var pump = await TestServer.StartAsync(connection, ("Pump:PollInterval", "00:01:00"), ("Pump:HoldWait", "00:00:00"));
        await using var door = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("ApiKey", pump.Key));
        await ListenedAsync();
        // Shorter than the poll, so that only the news can bring it.
        var answer = await door.PostAsync("instances", """{"definition":{"do":[{"set":{"a":1}},{"waitForSignal":"go"}]}}""", ("Prefer", "wait=1"));
        var id = answer.Json.GetProperty("id").GetString()!;
        await TestServer.EventuallyAsync(async () => (await door.InstanceAsync(id)).GetProperty("status").GetString() == "waiting", "it has run and waits");
        await door.PostAsync($"instances/{id}/signals/go", null);
        await TestServer.EventuallyAsync(async () => (await door.InstanceAsync(id)).GetProperty("status").GetString() == "completed", "it has been woken");
    }

    [Fact]
    public async Task A_pump_whose_connection_was_cut_listens_again()
    {
        await using var pump = await TestServer.StartAsync(connection, ("Pump:PollInterval", "00:01:00"));
        await using var door = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("ApiKey", pump.Key));
        var first = await ListenedAsync();
        await TestCluster.ExecuteAsync(connection, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        await ListenedAsync(instead: first);
        var answer = await door.PostAsync("instances", """{"definition":{"do":[{"set":{"a":1}}]}}""", ("Prefer", "wait=30"));
        Assert.Equal("completed", answer.Json.GetProperty("status").GetString());
    }

    // The process number of whoever listens.
    private async Task<int> ListenedAsync(int instead = 0)
    {
        var listener = 0;
        await TestServer.EventuallyAsync(
            async () => (listener = await TestCluster.ScalarAsync<int>(connection, $"""
                select coalesce(max(pid), 0) from pg_stat_activity
                where query = 'LISTEN millrace_ready' and datname = current_database() and pid <> {instead} and state = 'idle'
                """)) > 0,
            "somebody listens");
        return listener;
    }
}
