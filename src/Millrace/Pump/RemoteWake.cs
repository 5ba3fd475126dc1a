using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Nodes;
using Millrace.Store;
using Npgsql;

namespace Millrace.Pump;

/// <summary>
/// Carries the news that something is ready from processes that do not pump to those that do, by <c>NOTIFY</c>. A commit
/// that notifies takes a lock that all of them share, so it is sent beside the commits and not with them, one for
/// many, and not at all where a pump in the same process has been told already. What is lost on the way, or behind a
/// transaction pooler, which knows no <c>LISTEN</c>, is found by the next poll.
/// </summary>
internal sealed class RemoteWake(IOptions<MillraceOptions> options, Database database, PumpSignal signal, TimeProvider time) : BackgroundService
{
    private const string Channel = "millrace_ready";
    private static readonly TimeSpan BetweenNotifications = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (database.IsPooled)
            return;
        using var stop = new StopSource(time, stoppingToken);
        var pause = TimeSpan.Zero;
        void Worked() => pause = TimeSpan.Zero;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await (options.Value.Pump.Enabled ? ListenAsync(Worked, stop.Token) : NotifyAsync(Worked, stop.Token));
            }
            catch (Exception)
            {
                // Nothing depends on it, whatever it is: meanwhile there are polls. Where the process stops, nothing fails for it.
                pause = TimeSpan.FromMilliseconds(Math.Clamp(pause.TotalMilliseconds * 2, 200, LongestPause.TotalMilliseconds));
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListenAsync(Action worked, CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        connection.Notification += (_, news) =>
        {
            if (short.TryParse(news.Payload, out var bucket) && bucket >= 0 && bucket < database.Buckets)
                signal.Wake(bucket);
        };
        try
        {
            await Migrator.ExecuteAsync(connection, $"LISTEN {Channel}", cancel);
            worked();
            while (true)
                await connection.WaitAsync(cancel);
        }
        finally
        {
            // The pool does not put its sessions back: this one must not go on listening for somebody else.
            NpgsqlConnection.ClearPool(connection);
        }
    }

    private async Task NotifyAsync(Action worked, CancellationToken cancel)
    {
        while (true)
        {
            await signal.WaitAsync(Timeout.InfiniteTimeSpan, cancel);
            for (short bucket = 0; bucket < database.Buckets; bucket++)
            {
                if (!signal.TakeHint(bucket))
                    continue;
                try
                {
                    await using var command = database.Source.CreateCommand($"SELECT pg_notify('{Channel}', $1)");
                    command.Parameters.Add(Columns.Value($"{bucket}"));
                    await command.ExecuteNonQueryAsync(cancel);
                    worked();
                }
                catch (Exception e) when (!cancel.IsCancellationRequested)
                {
                    // It is told again over another connection.
                    database.Suspect(e);
                    signal.Wake(bucket);
                    throw;
                }
            }

            await Task.Delay(BetweenNotifications, time, cancel);
        }
    }
}
