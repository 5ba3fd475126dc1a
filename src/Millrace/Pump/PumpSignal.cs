namespace Millrace.Pump;

/// <summary>
/// Tells this process's pump that there may be work, and in which bucket, so that it need not wait for its next look. What
/// has newly become ready is also counted, for hosts that call drains elsewhere.
/// </summary>
public sealed class PumpSignal : IDisposable
{
    private readonly Pulse changed = new();
    private readonly Pulse arrived = new();
    private readonly bool[] hinted = new bool[1024];
    private long arrivals;

    /// <summary>Something may be ready in a bucket.</summary>
    /// <param name="bucket">Which.</param>
    /// <param name="newlyReady">How many instances have become ready by what this process has just stored.</param>
    public void Wake(short bucket, int newlyReady = 0)
    {
        Volatile.Write(ref hinted[bucket], true);
        changed.Set();
        if (newlyReady == 0)
            return;
        Interlocked.Add(ref arrivals, newlyReady);
        arrived.Set();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        changed.Dispose();
        arrived.Dispose();
    }

    /// <summary>Waits until something is named, or the time is up.</summary>
    internal Task WaitAsync(TimeSpan atMost, CancellationToken cancel) => changed.WaitAsync(atMost, cancel);

    /// <summary>Whether somebody named this bucket since the last call.</summary>
    internal bool TakeHint(int bucket)
    {
        if (!Volatile.Read(ref hinted[bucket]))
            return false;
        Volatile.Write(ref hinted[bucket], false);
        return true;
    }

    /// <summary>Waits until something newly becomes ready; of several who wait one is told.</summary>
    internal Task WaitForArrivalsAsync(CancellationToken cancel) => arrived.WaitAsync(Timeout.InfiniteTimeSpan, cancel);

    /// <summary>How many instances have newly become ready since they were last taken.</summary>
    internal long Arrivals => Interlocked.Read(ref arrivals);

    /// <summary>The same, and none of them is told of again.</summary>
    internal int TakeArrivals() => (int)Math.Min(Interlocked.Exchange(ref arrivals, 0), int.MaxValue);
}
