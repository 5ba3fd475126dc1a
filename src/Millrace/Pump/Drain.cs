using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Runs what is ready for a bounded time: the pump of hosts that are called, and not left running. Any number of processes
/// may drain at once; within one they take turns, since they would share its memory and its connections.
/// </summary>
public sealed class Drain : IDisposable
{
    private readonly RunServices services;
    private readonly PumpSignal signal;
    private readonly WorkerName worker;
    private readonly PumpLag lag;
    private readonly PumpOptions settings;
    private readonly CancellationToken stopping;
    private readonly SemaphoreSlim turn = new(1);

    internal Drain(
        RunServices services, PumpSignal signal, WorkerName worker, PumpLag lag, IOptions<MillraceOptions> options, CancellationToken stopping) =>
        (this.services, this.signal, this.worker, this.lag, settings, this.stopping) = (services, signal, worker, lag, options.Value.Pump, stopping);

    /// <summary>Drains for as long as <see cref="PumpOptions.DrainBudget"/> allows, the wait for its turn included.</summary>
    /// <param name="linger">How long to go on looking once nothing is ready and nothing runs.</param>
    /// <param name="cancel">Nobody waits for it any more: what runs is handed back at once, as it is where the process stops.</param>
    /// <returns>What was done. Where the turn never came, another drain was at it all the time: nothing is known of what is left.</returns>
    public async Task<DrainReport> RunAsync(TimeSpan linger, CancellationToken cancel)
    {
        using var stop = new StopSource(services.Time, cancel);
        await using var stops = stop.StopWith(stopping);
        var begun = services.Time.GetTimestamp();
        try
        {
            if (!await turn.WaitAsync(settings.DrainBudget, stop.Token))
                return new(0, MoreIsReady: true, null);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // The process stops, and whoever asked is still there.
            return new(0, MoreIsReady: true, null);
        }

        try
        {
            await RecordLagAsync(stop.Token);
            var left = settings.DrainBudget - services.Time.GetElapsedTime(begun);
            using var loop = new PumpLoop(services, signal, worker);
            return await loop.DrainAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, linger, stop.Token);
        }
        finally
        {
            turn.Release();
        }
    }

    // Nobody may ever ask a host of functions how it fares, so it tells.
    private async Task RecordLagAsync(CancellationToken cancel)
    {
        try
        {
            await lag.AskAsync(cancel);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e) || e is OperationCanceledException)
        {
            // Then it cannot be told; the drain itself has more patience.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();
}
