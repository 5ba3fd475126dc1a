using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Keeps the leases of everything this process runs: all of a bucket in one statement, after each third of a lease. What
/// is not renewed any more is stopped, and so is everything when the store was silent for a whole lease. A process that was
/// itself stopped for longer than that asks first: while nobody has taken its instances over, they are still its own.
/// </summary>
internal sealed class LeaseKeeper(Database database, ClaimStore claims, WorkerName worker, PumpOptions settings, TimeProvider time, StoreClock clock, ILogger log) : IDisposable
{
    // So many buckets at once that others have connections too.
    private const int BucketsAtOnce = 4;

    private readonly ConcurrentDictionary<LeaseKey, InstanceRun> runs = new();
    private readonly ConcurrentQueue<Guid> survived = new();
    private readonly SemaphoreSlim turn = new(1);
    private readonly Lock gate = new();

    // No run that is kept was renewed before this.
    private LeaseTime oldest = clock.Moment;

    public int Count => runs.Count;

    /// <summary>About how much memory the runs' instances take.</summary>
    public long Bytes => runs.Values.Sum(run => run.Bytes);

    public ICollection<InstanceRun> All => runs.Values;

    public void Add(InstanceRun run)
    {
        lock (gate)
        {
            runs[run.Key] = run;
            // The answer to a claim may have been under way for longer than its lease.
            oldest = oldest.Earliest(run.RenewedAt);
        }
    }

    public void Remove(InstanceRun run) => runs.TryRemove(run.Key, out _);

    /// <summary>A run has found its lease taken over, and this process lives: nobody was lost.</summary>
    public void Survived(InstanceRun run) => survived.Enqueue(run.Key.Instance);

    public async Task KeepAsync(CancellationToken cancel)
    {
        var (renewed, turnAt, saying) = (true, time.GetTimestamp(), Task.CompletedTask);
        while (!cancel.IsCancellationRequested)
        {
            // What could not be renewed is tried again soon, without the others: there is not much time left for it.
            var (soon, left) = (settings.Lease / 20, (settings.Lease / 3) - time.GetElapsedTime(turnAt));
            await Task.Delay(renewed && left > soon ? left : soon, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // What could not be given back is nobody's any more: the sooner its lease runs out, the better.
            if (cancel.IsCancellationRequested)
                break;
            await turn.WaitAsync(CancellationToken.None);
            try
            {
                if (renewed || time.GetElapsedTime(turnAt) >= settings.Lease / 3)
                    turnAt = time.GetTimestamp();
                renewed = await RenewThoseAsync(run => run.RenewedAt.Timestamp < turnAt);
            }
            catch (Exception e)
            {
                // Whatever it is, leases that nobody keeps any more are worse.
                renewed = false;
                log.RenewalBroke(e);
            }
            finally
            {
                turn.Release();
            }

            // Nothing waits for that, and it may have to wait for rows.
            if (saying.IsCompleted)
                saying = SayWhatSurvivedAsync();
        }

        await saying;
        await SayWhatSurvivedAsync();
    }

    /// <summary>
    /// Sees to it that no lease of this process has run out unasked: after a pause the runs are renewed or stopped before
    /// anything is begun or claimed.
    /// </summary>
    public async Task CatchUpAsync(CancellationToken cancel)
    {
        if (!IsBehind)
            return;
        await turn.WaitAsync(cancel);
        try
        {
            // Whoever had the turn before may have done it.
            if (IsBehind)
                await RenewThoseAsync(IsOld);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Renews what would run out before its time comes: what the answer to a claim was long under way for.</summary>
    public async Task RenewOldAsync(CancellationToken cancel)
    {
        await turn.WaitAsync(cancel);
        try
        {
            await RenewThoseAsync(IsOld);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>
    /// Until when, by the store's clock, none of the leases that are kept here can have run out. That they run out by that
    /// clock is what counts, however far it has been put forward since.
    /// </summary>
    public DateTimeOffset KeptUntil => Oldest.StoreTime + settings.Lease;

    public void Dispose() => turn.Dispose();

    private TimeSpan AskLimit => settings.Lease / 3;

    private LeaseTime Oldest
    {
        get
        {
            lock (gate)
                return oldest;
        }
    }

    private bool IsBehind => clock.AgeOf(Oldest) >= settings.Lease;

    private bool IsOld(InstanceRun run) => clock.AgeOf(run.RenewedAt) >= settings.Lease / 3;

    private async Task<bool> RenewThoseAsync(Func<InstanceRun, bool> which)
    {
        var begun = clock.Moment;
        // Several buckets at once: one whose rows somebody holds locked must not cost the others their leases.
        var buckets = runs.Values
            .Where(run => !run.IsGone && which(run))
            .GroupBy(run => InstanceId.BucketOf(run.Key.Instance))
            .OrderBy(bucket => bucket.Min(run => run.RenewedAt.Timestamp));
        var isComplete = true;
        await Parallel.ForEachAsync(buckets, new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce }, async (bucket, _) =>
        {
            if (!await RenewAsync(bucket.Key, [.. bucket]))
                Volatile.Write(ref isComplete, false);
        });
        lock (gate)
        {
            oldest = begun;
            foreach (var (_, run) in runs)
            {
                if (!run.IsGone)
                    oldest = oldest.Earliest(run.RenewedAt);
            }
        }

        return isComplete;
    }

    private async Task<bool> RenewAsync(short bucket, List<InstanceRun> batch)
    {
        var (begun, wasLate) = (time.GetTimestamp(), batch.Exists(run => run.IsOverdue));
        if (await AskAsync(bucket, batch))
            return true;
        // A process that stood still, before its question or with it, asks once more: its connections may have gone meanwhile,
        // and a question that took far longer than it may says nothing of the store.
        if ((wasLate || time.GetElapsedTime(begun) >= 2 * AskLimit) && await AskAsync(bucket, [.. batch.Where(run => run.RenewedAt.Timestamp < begun)]))
            return true;
        foreach (var run in batch.Where(run => run.IsOverdue))
            Lose(run);
        return false;
    }

    private async Task<bool> AskAsync(short bucket, List<InstanceRun> batch)
    {
        try
        {
            using var limit = new StopSource(AskLimit, time);
            var byKey = batch.ToDictionary(run => run.Key);
            var left = await claims.RenewAsync(
                bucket, [.. byKey.Keys], settings.Lease, one => byKey[one.Lease].Renewed(one.At, one.Standing), limit.Token);
            foreach (var key in left.Lost)
            {
                Lose(byKey[key]);
                byKey[key].IsGone = true;
            }

            // What somebody keeps locked may run out like anything else that could not be asked for.
            return left.Locked.Count == 0;
        }
        catch (Exception e)
        {
            database.Suspect(e);
            if (!StoreFaults.IsPassing(e) && e is not OperationCanceledException)
                log.RenewalBroke(e);
            return false;
        }
    }

    private async Task SayWhatSurvivedAsync()
    {
        var instances = new List<Guid>();
        while (survived.TryDequeue(out var instance))
            instances.Add(instance);
        foreach (var bucket in instances.GroupBy(InstanceId.BucketOf))
        {
            try
            {
                using var limit = new StopSource(AskLimit, time);
                await claims.SurvivedAsync(bucket.Key, [.. bucket], worker.Value, limit.Token);
            }
            catch (Exception e)
            {
                // It is said in favour of the instances only; what is not heard does no harm by itself, and leases go on.
                database.Suspect(e);
                if (!StoreFaults.IsPassing(e) && e is not OperationCanceledException)
                    log.RenewalBroke(e);
            }
        }
    }

    private void Lose(InstanceRun run)
    {
        // One that ends or parks right now has no lease to lose.
        if (run.IsLettingGo || !runs.ContainsKey(run.Key))
            return;
        log.LeaseLost(run.Key.Instance);
        run.LoseLease();
    }
}
