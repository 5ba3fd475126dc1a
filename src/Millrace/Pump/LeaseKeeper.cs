using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Keeps the leases of everything this process runs: all of a bucket in one statement, after each third of a lease. What
/// is not renewed any more is stopped, and so is everything when the store was silent for a whole lease.
/// </summary>
internal sealed class LeaseKeeper(ClaimStore claims, PumpOptions settings, TimeProvider time, ILogger log)
{
    private readonly ConcurrentDictionary<Guid, Held> runs = new();

    public int Count => runs.Count;

    public ICollection<Held> All => runs.Values;

    public void Add(InstanceRun run) => runs[run.Id] = new(run, time.GetTimestamp());

    public void Remove(InstanceRun run) => runs.TryRemove(run.Id, out _);

    public async Task KeepAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            await Task.Delay(settings.Lease / 3, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var bucket in runs.Values.GroupBy(held => InstanceId.BucketOf(held.Run.Id)))
                await RenewAsync(bucket.Key, [.. bucket.OrderBy(held => held.Run.Id)]);
        }
    }

    private async Task RenewAsync(short bucket, List<Held> batch)
    {
        var asked = time.GetTimestamp();
        try
        {
            using var limit = new CancellationTokenSource(settings.Lease / 3, time);
            var renewed = (await claims.RenewAsync(bucket, [.. batch.Select(held => (held.Run.Id, held.Run.LeaseToken))], settings.Lease, limit.Token))
                .ToDictionary(answer => answer.Id);
            foreach (var held in batch)
            {
                if (!renewed.TryGetValue(held.Run.Id, out var answer))
                {
                    Lose(held);
                    continue;
                }

                held.RenewedAt = asked;
                held.Run.Observe(answer.Standing);
            }
        }
        catch (Exception e)
        {
            if (!StoreFaults.IsPassing(e) && e is not OperationCanceledException)
                log.RenewalBroke(e);
            foreach (var held in batch.Where(held => time.GetElapsedTime(held.RenewedAt) >= settings.Lease))
                Lose(held);
        }
    }

    private void Lose(Held held)
    {
        // One that ends or parks right now has no lease to lose.
        if (held.Run.LettingGo || !runs.ContainsKey(held.Run.Id))
            return;
        log.LeaseLost(held.Run.Id);
        held.Run.LoseLease();
    }

    internal sealed class Held(InstanceRun run, long renewedAt)
    {
        public InstanceRun Run => run;

        public long RenewedAt { get; set; } = renewedAt;
    }
}
