using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>What a drain did, and what it left.</summary>
/// <param name="Claimed">How many instances it claimed.</param>
/// <param name="MoreIsReady">Whether something that could be claimed at once is left, as far as is known.</param>
/// <param name="NextDue">How long until the next timer of an instance is due; null where nothing waits for a time.</param>
public sealed record DrainReport(int Claimed, bool MoreIsReady, TimeSpan? NextDue);

/// <summary>
/// The claim → run → checkpoint loop. It claims as many instances as there is room for, one bucket at a time, runs them
/// side by side, and while there is nothing to do sleeps until it is told of work, until the next timer is due, or for
/// the poll interval, whichever comes first. Others may run beside it, in this process and elsewhere.
/// </summary>
internal sealed class PumpLoop : IDisposable
{
    private static readonly TimeSpan GatherLimit = TimeSpan.FromMilliseconds(50);

    // The runs have five seconds for it; this is for what does not even listen.
    private static readonly TimeSpan HandBackLimit = TimeSpan.FromSeconds(8);

    // Hosts of functions stop a process five seconds after they have said so.
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(4);

    private readonly PumpOptions settings;
    private readonly Database database;
    private readonly ClaimStore claims;
    private readonly PumpSignal signal;
    private readonly BucketTurns turns;
    private readonly RunServices services;
    private readonly LeaseKeeper leases;
    private readonly Pulse room = new();
    private readonly WorkerName worker;
    private readonly ILogger log;
    private long averageBytes = 4096;
    private int total;
    private bool hasAnswered;
    private Exception? lastFault;

    public PumpLoop(RunServices services, PumpSignal signal, WorkerName worker)
    {
        (this.services, this.signal, this.worker) = (services, signal, worker);
        (settings, database, claims, log) = (services.Settings, services.Database, services.Claims, services.Log);
        leases = new(database, claims, worker, settings, services.Time, services.Clock, log);
        turns = new(database, services.Dues, signal, settings, services.Time);
    }

    /// <summary>Runs what is ready until it is stopped; what runs then has its grace to come to an end.</summary>
    public async Task ServeAsync(CancellationToken stop)
    {
        log.PumpStarted(worker.Value, settings.MaxInstances);
        using var claiming = new StopSource(services.Time, stop);
        using var keeping = new CancellationTokenSource();
        var keeper = leases.KeepAsync(keeping.Token);
        await ClaimAsync(Timeout.InfiniteTimeSpan, claiming.Token);
        log.PumpStopped(worker.Value, await LetGoAsync(settings.Grace, HandBackLimit, CancellationToken.None));
        await keeping.CancelAsync();
        await keeper;
    }

    /// <summary>
    /// Runs what is ready until nothing is, or the time is up. The last part of the time, as long as the grace and not more
    /// than half of it, is for what runs to come to its end. What does not is handed back to whoever claims it next; where
    /// the process stops, all is, at once.
    /// </summary>
    /// <param name="budget">How long it may take, but for handing back.</param>
    /// <param name="linger">How long it goes on looking once nothing is ready and nothing runs.</param>
    /// <param name="cancel">The process stops.</param>
    /// <exception cref="Exception">The store never answered; this is its last fault.</exception>
    public async Task<DrainReport> DrainAsync(TimeSpan budget, TimeSpan linger, CancellationToken cancel)
    {
        var begun = services.Time.GetTimestamp();
        var grace = settings.Grace < budget / 2 ? settings.Grace : budget / 2;
        using var claiming = new StopSource(services.Time, cancel);
        claiming.StopAfter(budget - grace);
        using var keeping = new CancellationTokenSource();
        var keeper = leases.KeepAsync(keeping.Token);
        try
        {
            await ClaimAsync(linger, claiming.Token);
            var handedBack = await LetGoAsync(
                budget - services.Time.GetElapsedTime(begun), cancel.IsCancellationRequested ? LastMoment : HandBackLimit, cancel);
            if (!hasAnswered && lastFault is not null)
                ExceptionDispatchInfo.Throw(lastFault);
            if (total > 0)
                log.Drained(total, services.Time.GetElapsedTime(begun), handedBack);
            var (isMoreReady, nextDue) = await LookAheadAsync(cancel);
            return new(total, isMoreReady || handedBack > 0, nextDue);
        }
        finally
        {
            await keeping.CancelAsync();
            await keeper;
        }
    }

    public void Dispose()
    {
        room.Dispose();
        leases.Dispose();
    }

    // Until it is stopped, or nothing has been ready or running for as long as it may linger.
    private async Task ClaimAsync(TimeSpan linger, CancellationToken cancel)
    {
        var pause = TimeSpan.Zero;
        var quietSince = services.Time.GetTimestamp();
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                var any = false;
                foreach (var bucket in await turns.NextAsync(cancel))
                    any |= await ClaimAsync(bucket, cancel) > 0;
                if (pause > TimeSpan.Zero)
                    log.StoreAnswersAgain();
                (pause, hasAnswered) = (TimeSpan.Zero, true);
                if (any || leases.Count > 0)
                    quietSince = services.Time.GetTimestamp();
                var left = linger == Timeout.InfiniteTimeSpan ? settings.PollInterval : linger - services.Time.GetElapsedTime(quietSince);
                if (!any && turns.HasLooked && leases.Count == 0 && left <= TimeSpan.Zero)
                    return;
                if (!any && turns.HasLooked)
                    await turns.IdleAsync(left < settings.PollInterval && left > TimeSpan.Zero ? left : settings.PollInterval, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it is, a pump that has given up is worse than one that tries again.
                lastFault = e;
                pause = TimeSpan.FromMilliseconds(Math.Clamp(pause.TotalMilliseconds * 2, 100, 2000));
                database.Suspect(e);
                if (StoreFaults.IsPassing(e))
                    log.StoreDoesNotAnswer(e.Message, pause);
                else
                    log.ClaimBroke(pause, e);
                await Task.Delay(pause, services.Time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<int> ClaimAsync(short bucket, CancellationToken cancel)
    {
        var room = await WaitForRoomAsync(cancel);
        // What this process runs itself must not look as if nobody did.
        await leases.CatchUpAsync(cancel);
        var limit = (int)Math.Min(Math.Min(room, settings.ClaimBatch), Math.Max(1, (settings.MaxStateBytes - leases.Bytes) / averageBytes));
        var asked = services.Clock.Moment;
        var claimed = await claims.ClaimAsync(bucket, limit, settings.Lease, worker.Value, leases.KeptUntil, cancel);
        if (claimed.Count > 0)
        {
            FaultPoint.Pass(FaultPoint.Claimed);
            averageBytes = Math.Max(1, (averageBytes + (long)claimed.Average(instance => instance.Bytes)) / 2);
        }

        total += claimed.Count;
        List<InstanceRun> runs = [.. claimed.Select(instance => RunOf(instance, asked)).OfType<InstanceRun>()];
        foreach (var run in runs)
            leases.Add(run);
        // A process may have been stopped with the answer in its hand. One that is to end gives back what it has at once.
        if (services.Clock.AgeOf(asked) >= settings.Lease / 3)
            await leases.RenewOldAsync(cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var run in runs)
            _ = Task.Run(() => RunAsync(run), CancellationToken.None);

        // There is more where a full batch came from.
        if (claimed.Count == limit)
            signal.Wake(bucket);
        return claimed.Count;
    }

    // One that cannot even be begun is left to the end of its lease, and the others are run.
    private InstanceRun? RunOf(ClaimedInstance instance, LeaseTime asked)
    {
        try
        {
            var run = new InstanceRun(instance, asked, services, leases.CatchUpAsync);
            if (run.IsLostCause)
                log.Poisoned(instance.Id, instance.Claims - 1);
            return run;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            log.RunBroke(instance.Id, e);
            return null;
        }
    }

    // While most places are taken, a claim for each one that comes free would be many small claims: waiting a moment
    // gathers them, and what is held already keeps everybody busy meanwhile.
    private async Task<int> WaitForRoomAsync(CancellationToken cancel)
    {
        var enough = Math.Min(settings.ClaimBatch, Math.Max(1, settings.MaxInstances / 4));
        var begun = services.Time.GetTimestamp();
        while (Room < enough && services.Time.GetElapsedTime(begun) is var waited && waited < GatherLimit)
            await room.WaitAsync(GatherLimit - waited, cancel);
        while (Room <= 0 || (leases.Bytes >= settings.MaxStateBytes && leases.Count > 0))
            await room.WaitAsync(TimeSpan.FromMilliseconds(100), cancel);
        return Room;
    }

    // What was taken over and may not begin yet keeps nobody else from being run, but for as much again.
    private int Room => settings.MaxInstances - leases.Count + Math.Min(services.Takeovers.Waiting, settings.MaxInstances);

    // What is not known is taken for more: a drain in vain costs little.
    private async Task<(bool IsMoreReady, TimeSpan? NextDue)> LookAheadAsync(CancellationToken cancel)
    {
        try
        {
            return await turns.NextDueAsync(cancel) is { } due ? (due <= TimeSpan.Zero, due) : (false, null);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e) || e is OperationCanceledException)
        {
            return (true, null);
        }
    }

    private async Task RunAsync(InstanceRun run)
    {
        try
        {
            var end = await run.RunAsync();
            leases.Remove(run);
            if (end is RunEnd.Lost && run.HasBegun)
                leases.Survived(run);
            if (end is RunEnd.ParkedReady or RunEnd.Parked)
                signal.Wake(InstanceId.BucketOf(run.Key.Instance));
        }
        catch (Exception e)
        {
            // The lease runs out by itself, and another claim will try again.
            log.RunBroke(run.Key.Instance, e);
        }
        finally
        {
            leases.Remove(run);
            room.Set();
        }
    }

    // Lets what runs come to its end within the grace; what does not is handed back. How many those were.
    private async Task<int> LetGoAsync(TimeSpan grace, TimeSpan handBackLimit, CancellationToken hurry)
    {
        var deadline = services.Time.GetTimestamp();
        while (leases.Count > 0 && services.Time.GetElapsedTime(deadline) < grace && !hurry.IsCancellationRequested)
            await room.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);

        var rest = leases.All.ToList();
        foreach (var run in rest)
            run.Interrupt();
        var interrupted = services.Time.GetTimestamp();
        while (leases.Count > 0 && services.Time.GetElapsedTime(interrupted) < handBackLimit)
            await room.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);
        if (leases.Count > 0)
            log.NotHandedBack(leases.Count);
        return rest.Count - leases.Count;
    }
}
