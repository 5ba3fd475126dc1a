using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Keeps the leases of everything this process runs: all of a bucket in one statement, after each third of a lease. What
/// is not renewed any more is stopped, and so is everything when the store was silent for a whole lease.
/// </summary>
internal sealed class LeaseKeeper(Database database, ClaimStore claims, PumpOptions settings, TimeProvider time, ILogger log)
{
    private readonly ConcurrentDictionary<Guid, InstanceRun> runs = new();

    public int Count => runs.Count;

    /// <summary>About how much memory the runs' instances take.</summary>
    public long Bytes => runs.Values.Sum(run => run.Bytes);

    public ICollection<InstanceRun> All => runs.Values;

    public void Add(InstanceRun run) => runs[run.Id] = run;

    public void Remove(InstanceRun run) => runs.TryRemove(run.Id, out _);

    public async Task KeepAsync(CancellationToken cancel)
    {
        var renewed = true;
        while (!cancel.IsCancellationRequested)
        {
            // What could not be renewed is tried again soon: there is not much time left for it.
            await Task.Delay(settings.Lease / (renewed ? 3 : 20), time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            renewed = true;
            foreach (var bucket in runs.Values.GroupBy(run => InstanceId.BucketOf(run.Id)))
                renewed &= await RenewAsync(bucket.Key, [.. bucket.OrderBy(run => run.Id)]);
        }
    }

    private async Task<bool> RenewAsync(short bucket, List<InstanceRun> batch)
    {
        var asked = time.GetTimestamp();
        try
        {
            using var limit = new CancellationTokenSource(settings.Lease / 3, time);
            var renewed = (await claims.RenewAsync(bucket, [.. batch.Select(run => (run.Id, run.LeaseToken))], settings.Lease, limit.Token))
                .ToDictionary(answer => answer.Id);
            foreach (var run in batch)
            {
                if (!renewed.TryGetValue(run.Id, out var answer))
                {
                    Lose(run);
                    continue;
                }

                run.Renewed(asked);
                run.Observe(answer.Standing);
            }

            return true;
        }
        catch (Exception e)
        {
            database.Suspect(e);
            if (!StoreFaults.IsPassing(e) && e is not OperationCanceledException)
                log.RenewalBroke(e);
            foreach (var run in batch.Where(run => run.IsOverdue))
                Lose(run);
            return false;
        }
    }

    private void Lose(InstanceRun run)
    {
        // One that ends or parks right now has no lease to lose.
        if (run.LettingGo || !runs.ContainsKey(run.Id))
            return;
        log.LeaseLost(run.Id);
        run.LoseLease();
    }
}
