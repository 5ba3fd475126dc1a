namespace Millrace.Pump;

/// <summary>Tells this process's pump that there may be work, and in which bucket, so that it need not wait for its next look.</summary>
public sealed class PumpSignal : IDisposable
{
    private readonly Pulse changed = new();
    private readonly bool[] hinted = new bool[1024];

    /// <summary>Something may be ready in a bucket.</summary>
    public void Wake(short bucket)
    {
        Volatile.Write(ref hinted[bucket], true);
        changed.Set();
    }

    /// <inheritdoc/>
    public void Dispose() => changed.Dispose();

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
}
