using System.Collections.Concurrent;
using System.Collections.Immutable;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Tells the runs in this process that something has been written to their instance's row: a request, a signal, the end of
/// a child. Runs elsewhere learn of it with their next checkpoint or renewal, so nothing depends on this.
/// </summary>
internal sealed class RunRelay(PumpSignal signal)
{
    // Nearly always there is one run of an instance; two, while an old one finds out that its lease is somebody else's.
    private readonly ConcurrentDictionary<Guid, ImmutableArray<Registration>> runs = new();

    public void Register(LeaseKey run, Action nudge)
    {
        var registration = new Registration(run.Token, nudge);
        runs.AddOrUpdate(run.Instance, static (_, one) => [one], static (_, present, one) => present.Add(one), registration);
    }

    public void Unregister(LeaseKey run)
    {
        while (runs.TryGetValue(run.Instance, out var present))
        {
            var rest = present.RemoveAll(registration => registration.Token == run.Token);
            if (rest.IsEmpty ? runs.TryRemove(new(run.Instance, present)) : runs.TryUpdate(run.Instance, rest, present))
                return;
        }
    }

    /// <summary>Something has been written to an instance's row.</summary>
    /// <param name="instance">Which.</param>
    /// <param name="isCall">Whether a caller has asked for it; what other runs write is found by whoever runs them.</param>
    public void Nudge(Guid instance, bool isCall = false)
    {
        if (!runs.TryGetValue(instance, out var present))
        {
            signal.Wake(InstanceId.BucketOf(instance), newlyReady: isCall ? 1 : 0);
            return;
        }

        foreach (var registration in present)
            registration.Nudge();
    }

    /// <summary>Something in a bucket may be ready to be claimed.</summary>
    public void Wake(short bucket, int newlyReady = 0) => signal.Wake(bucket, newlyReady);

    public void Nudge(IEnumerable<Guid> instances)
    {
        foreach (var instance in instances)
            Nudge(instance);
    }

    private sealed record Registration(long Token, Action Nudge);
}
