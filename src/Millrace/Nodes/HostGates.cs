using System.Collections.Concurrent;
using Millrace.Configuration;

namespace Millrace.Nodes;

/// <summary>What stands before the requests to one origin: a limit on how many are under way, shared fairly, and a circuit breaker.</summary>
internal sealed class HostGate(HttpOptions settings, TimeProvider time)
{
    private int users;

    public HostBreaker Breaker { get; } = new(settings.BreakerFailures, settings.BreakerPause, time);

    /// <summary>Whether nothing is under way or waits.</summary>
    public bool IsIdle => Volatile.Read(ref users) == 0 && Breaker.Ask().HeldFor is null;

    private FairGate Places { get; } = new(settings.ConcurrencyPerHost);

    /// <summary>Waits for a place, which is given back by disposing of it.</summary>
    public async Task<IDisposable> EnterAsync(NodeContext context, CancellationToken cancel)
    {
        Interlocked.Increment(ref users);
        try
        {
            return new Visit(this, await Places.EnterAsync(context.Organisation, context.Instance, cancel));
        }
        catch
        {
            Interlocked.Decrement(ref users);
            throw;
        }
    }

    private sealed class Visit(HostGate gate, IDisposable place) : IDisposable
    {
        public void Dispose()
        {
            place.Dispose();
            Interlocked.Decrement(ref gate.users);
        }
    }
}

/// <summary>A gate for each origin, made on first use.</summary>
internal sealed class HostGates(HttpOptions settings, TimeProvider time)
{
    // Origins come from workflows, so there may be any number. Those that are in use or hold back stay: otherwise whoever
    // names many would open them for everybody.
    private const int Most = 4096;
    private readonly ConcurrentDictionary<string, HostGate> gates = new(StringComparer.OrdinalIgnoreCase);

    public HostGate For(Uri address)
    {
        var origin = HttpHop.OriginOf(address);
        if (gates.TryGetValue(origin, out var known))
            return known;
        // Counting locks them all, and so is done for new ones only.
        if (gates.Count >= Most)
        {
            foreach (var (other, gate) in gates)
            {
                if (gate.IsIdle)
                    gates.TryRemove(new(other, gate));
            }
        }

        return gates.GetOrAdd(origin, _ => new(settings, time));
    }
}
