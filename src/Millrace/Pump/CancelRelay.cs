using System.Collections.Concurrent;

namespace Millrace.Pump;

/// <summary>
/// Brings a request to cancel straight to a run in the same process. Runs elsewhere learn of it with their next
/// checkpoint or renewal, so nothing depends on this.
/// </summary>
internal sealed class CancelRelay(PumpSignal signal)
{
    private readonly ConcurrentDictionary<Guid, Action<string?>> runs = new();

    public void Register(Guid instance, Action<string?> cancel) => runs[instance] = cancel;

    public void Unregister(Guid instance) => runs.TryRemove(instance, out _);

    public void Announce(Guid instance, string? reason)
    {
        if (runs.TryGetValue(instance, out var cancel))
            cancel(reason);
        else
            signal.Wake(Store.InstanceId.BucketOf(instance));
    }
}
