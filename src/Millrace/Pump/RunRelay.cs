using System.Collections.Concurrent;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Tells a run in this process that something has been written to its instance's row: a request, a signal, the end of a
/// child. Runs elsewhere learn of it with their next checkpoint or renewal, so nothing depends on this.
/// </summary>
internal sealed class RunRelay(PumpSignal signal)
{
    private readonly ConcurrentDictionary<Guid, Action> runs = new();

    public void Register(Guid instance, Action nudge) => runs[instance] = nudge;

    public void Unregister(Guid instance) => runs.TryRemove(instance, out _);

    /// <summary>Something has been written to an instance's row.</summary>
    /// <param name="instance">Which.</param>
    /// <param name="isCall">Whether a caller has asked for it; what other runs write is found by whoever runs them.</param>
    public void Nudge(Guid instance, bool isCall = false)
    {
        if (runs.TryGetValue(instance, out var nudge))
            nudge();
        else
            signal.Wake(InstanceId.BucketOf(instance), newlyReady: isCall ? 1 : 0);
    }

    /// <summary>Something in a bucket may be ready to be claimed.</summary>
    public void Wake(short bucket, int newlyReady = 0) => signal.Wake(bucket, newlyReady);

    public void Nudge(IEnumerable<Guid> instances)
    {
        foreach (var instance in instances)
            Nudge(instance);
    }
}
