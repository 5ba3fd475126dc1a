using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// The claim → run → checkpoint loop. It claims as many instances as there is room for, one bucket at a time, runs them
/// side by side, and while there is nothing to do sleeps until it is told of work, until the next timer is due, or for
/// the poll interval, whichever comes first.
/// </summary>
internal sealed class InstancePump : BackgroundService
{
    private static readonly TimeSpan GatherLimit = TimeSpan.FromMilliseconds(50);

    // The runs have five seconds for it; this is for what does not even listen.
    private static readonly TimeSpan HandBackLimit = TimeSpan.FromSeconds(8);

    private readonly PumpOptions settings;
    private readonly Database database;
    private readonly ClaimStore claims;
    private readonly PumpSignal signal;
    private readonly RunServices services;
    private readonly LeaseKeeper leases;
    private readonly Pulse room = new();
    private readonly WorkerName worker;
    private readonly ILogger<InstancePump> log;
    private long averageBytes = 4096;
    private int nextBucket;

    public InstancePump(
        IOptions<MillraceOptions> options, Database database, ClaimStore claims, CheckpointStore checkpoints, NodeExecutors nodes,
        WorkflowStore workflows, InstanceStore instances, SignalStore signals, ChildStore children, ItemScopes items, StoreClock clock,
        TimeProvider time, RunRelay relay, OutcomeHub outcomes,
        PumpSignal signal, WorkerName worker, ILogger<InstancePump> log)
    {
        settings = options.Value.Pump;
        (this.database, this.claims, this.signal, this.worker, this.log) = (database, claims, signal, worker, log);
        services = new(
            database, settings, options.Value.Limits, claims, checkpoints, nodes, workflows, instances, signals, children, items, clock, time, relay, outcomes, log);
        leases = new(database, claims, settings, time, log);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!settings.Enabled)
            return;
        log.PumpStarted(worker.Value, settings.MaxInstances);
        using var keeping = new CancellationTokenSource();
        var keeper = leases.KeepAsync(keeping.Token);
        await ClaimUntilStoppedAsync(stoppingToken);
        await DrainAsync();
        await keeping.CancelAsync();
        await keeper;
    }

    private async Task ClaimUntilStoppedAsync(CancellationToken cancel)
    {
        var pause = TimeSpan.Zero;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                if (!await ClaimAllBucketsAsync(cancel))
                    await IdleAsync(cancel);
                if (pause > TimeSpan.Zero)
                    log.StoreAnswersAgain();
                pause = TimeSpan.Zero;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it is, a pump that has given up is worse than one that tries again.
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

    // Goes once around the buckets; those that somebody has named come first. True if anything was claimed.
    private async Task<bool> ClaimAllBucketsAsync(CancellationToken cancel)
    {
        var any = false;
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            if (signal.TakeHint(bucket))
                any |= await ClaimAsync(bucket, cancel) > 0;
        }

        for (var turn = 0; turn < database.Buckets && !any; turn++)
            any |= await ClaimAsync((short)(nextBucket++ % database.Buckets), cancel) > 0;
        return any;
    }

    private async Task<int> ClaimAsync(short bucket, CancellationToken cancel)
    {
        var room = await WaitForRoomAsync(cancel);
        var limit = (int)Math.Min(Math.Min(room, settings.ClaimBatch), Math.Max(1, (settings.MaxStateBytes - leases.Bytes) / averageBytes));
        var asked = services.Time.GetTimestamp();
        var claimed = await claims.ClaimAsync(bucket, limit, settings.Lease, worker.Value, cancel);
        if (claimed.Count > 0)
        {
            FaultPoint.Pass(FaultPoint.Claimed);
            averageBytes = Math.Max(1, (averageBytes + (long)claimed.Average(instance => instance.Bytes)) / 2);
        }

        foreach (var instance in claimed)
        {
            var run = new InstanceRun(instance, asked, services);
            leases.Add(run);
            if (instance.Claims > settings.MaxTakeovers)
                log.Poisoned(instance.Id, instance.Claims - 1);
            _ = Task.Run(() => RunAsync(run), CancellationToken.None);
        }

        // There is more where a full batch came from.
        if (claimed.Count == limit)
            signal.Wake(bucket);
        return claimed.Count;
    }

    public override void Dispose()
    {
        room.Dispose();
        base.Dispose();
    }

    // While most places are taken, a claim for each one that comes free would be many small claims: waiting a moment
    // gathers them, and what is held already keeps everybody busy meanwhile.
    private async Task<int> WaitForRoomAsync(CancellationToken cancel)
    {
        var enough = Math.Min(settings.ClaimBatch, Math.Max(1, settings.MaxInstances / 4));
        var begun = services.Time.GetTimestamp();
        while (settings.MaxInstances - leases.Count < enough && services.Time.GetElapsedTime(begun) is var waited && waited < GatherLimit)
            await room.WaitAsync(GatherLimit - waited, cancel);
        while (settings.MaxInstances - leases.Count <= 0 || (leases.Bytes >= settings.MaxStateBytes && leases.Count > 0))
            await room.WaitAsync(TimeSpan.FromMilliseconds(100), cancel);
        return settings.MaxInstances - leases.Count;
    }

    private async Task IdleAsync(CancellationToken cancel)
    {
        var pause = settings.PollInterval;
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            if (await claims.NextDueAsync(bucket, cancel) is { } due && due < pause)
                pause = due;
        }

        await signal.WaitAsync(pause < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : pause, cancel);
    }

    private async Task RunAsync(InstanceRun run)
    {
        try
        {
            var end = await run.RunAsync();
            leases.Remove(run);
            if (end is RunEnd.ParkedReady or RunEnd.Parked)
                signal.Wake(InstanceId.BucketOf(run.Id));
        }
        catch (Exception e)
        {
            // The lease runs out by itself, and another claim will try again.
            log.RunBroke(run.Id, e);
        }
        finally
        {
            leases.Remove(run);
            room.Set();
        }
    }

    // Lets what runs come to its end within the grace; what does not is handed back.
    private async Task DrainAsync()
    {
        var deadline = services.Time.GetTimestamp();
        while (leases.Count > 0 && services.Time.GetElapsedTime(deadline) < settings.Grace)
            await room.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);

        var rest = leases.All.ToList();
        foreach (var run in rest)
            run.Interrupt();
        var interrupted = services.Time.GetTimestamp();
        while (leases.Count > 0 && services.Time.GetElapsedTime(interrupted) < HandBackLimit)
            await room.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);
        if (leases.Count > 0)
            log.NotHandedBack(leases.Count);
        log.PumpStopped(worker.Value, rest.Count - leases.Count);
    }
}
