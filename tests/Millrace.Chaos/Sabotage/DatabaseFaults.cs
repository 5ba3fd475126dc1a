using Millrace.Server.LocalPostgres;
using Npgsql;

namespace Millrace.Chaos.Sabotage;

/// <summary>PostgreSQL dies and recovers from its log.</summary>
/// <param name="options">How often.</param>
/// <param name="cluster">The server.</param>
/// <param name="database">Held by whoever does something to the database as a whole.</param>
internal sealed class Crash(ChaosOptions options, Cluster cluster, SemaphoreSlim database) : Fault("PostgreSQL restarted in immediate mode", options.RestartsPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await database.WaitAsync(stop);
        try
        {
            await cluster.CrashAsync(CancellationToken.None);
            Count++;
        }
        finally
        {
            database.Release();
        }
    }
}

/// <summary>PostgreSQL refuses all writes for a while, as an old primary does after a failover.</summary>
/// <param name="options">How often, and for how long.</param>
/// <param name="store">The database.</param>
/// <param name="database">Held by whoever does something to the database as a whole.</param>
/// <param name="time">Stands still meanwhile.</param>
internal sealed class ReadOnlyPeriod(ChaosOptions options, string store, SemaphoreSlim database, WorkingTime time) : Fault(
    $"read-only periods of {options.ReadOnlyPeriod.TotalSeconds:0} s", options.ReadOnlyPeriodsPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await database.WaitAsync(stop);
        try
        {
            using (time.Stop())
            {
                await SwitchAsync("SET default_transaction_read_only = on");
                await Task.Delay(options.ReadOnlyPeriod, CancellationToken.None);
                await SwitchAsync("RESET default_transaction_read_only");
            }

            Count++;
        }
        finally
        {
            database.Release();
        }
    }

    private async Task SwitchAsync(string setting)
    {
        await Direct.InsistAsync(store, $"ALTER SYSTEM {setting}", CancellationToken.None);
        await Direct.InsistAsync(store, "SELECT pg_reload_conf()", CancellationToken.None);
    }
}

/// <summary>A transaction holds its snapshot for a while, so that no dead row of the hot tables can be cleared away.</summary>
internal sealed class OldSnapshot(ChaosOptions options, string store) : Fault(
    $"snapshots held for {options.OldSnapshot.TotalSeconds:0} s", options.OldSnapshotsPerMinute)
{
    // A restart of PostgreSQL ends it: then it begins again.
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        while (!await HoldAsync(stop))
            await Task.Delay(100, stop);
        Count++;
    }

    private async Task<bool> HoldAsync(CancellationToken stop)
    {
        try
        {
            await using var connection = new NpgsqlConnection(store);
            await connection.OpenAsync(stop);
            await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, stop);
            await using var command = new NpgsqlCommand("SELECT count(*) FROM millrace.work", connection, transaction);
            await command.ExecuteScalarAsync(stop);
            await Task.Delay(options.OldSnapshot, stop);
            return await command.ExecuteScalarAsync(stop) is long;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}
