using Millrace.Server.LocalPostgres;

namespace Millrace.Chaos;

/// <summary>Breaks things, each kind of fault at its own average pace with random pauses in between.</summary>
internal sealed class Saboteur(ChaosOptions options, Fleet fleet, Cluster cluster, FaultyProxy proxy)
{
    private int kills;
    private int pauses;
    private int restarts;
    private int cuts;

    public int Kills => kills;

    public int Pauses => pauses;

    public int Restarts => restarts;

    public int Cuts => cuts;

    public Task RunAsync(CancellationToken stop) => Task.WhenAll(
        OftenAsync(options.KillsPerMinute, KillAsync, stop),
        OftenAsync(options.PausesPerMinute, PauseAsync, stop),
        OftenAsync(options.RestartsPerMinute, CrashAsync, stop),
        OftenAsync(options.CutsPerMinute, _ => Task.FromResult(cuts += proxy.Cut(options.ConnectionsPerCut)), stop));

    /// <summary>Whether enough has been broken for a time; a slow machine needs longer for it.</summary>
    public bool HasDone(TimeSpan time) =>
        kills >= ChaosOptions.Least(options.KillsPerMinute, time) && pauses >= ChaosOptions.Least(options.PausesPerMinute, time)
        && restarts >= ChaosOptions.Least(options.RestartsPerMinute, time) && cuts >= ChaosOptions.Least(options.CutsPerMinute * options.ConnectionsPerCut, time);

    private async Task KillAsync(CancellationToken stop)
    {
        await fleet.KillAsync(stop);
        kills++;
    }

    private async Task PauseAsync(CancellationToken stop)
    {
        await fleet.PauseAsync(options.Pause, stop);
        pauses++;
    }

    private async Task CrashAsync(CancellationToken stop)
    {
        await cluster.CrashAsync(CancellationToken.None);
        restarts++;
    }

    // Evenly over the time, within half of the way to the neighbours: by chance alone there would be long lulls.
    private static async Task OftenAsync(double perMinute, Func<CancellationToken, Task> act, CancellationToken stop)
    {
        var period = TimeSpan.FromMinutes(1) / perMinute;
        var begin = System.Diagnostics.Stopwatch.GetTimestamp();
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            var due = period * (number + 0.25 + (Random.Shared.NextDouble() / 2));
            var wait = due - System.Diagnostics.Stopwatch.GetElapsedTime(begin);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (!stop.IsCancellationRequested)
                    await act(stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
