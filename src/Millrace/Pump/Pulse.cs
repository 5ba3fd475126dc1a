namespace Millrace.Pump;

/// <summary>An event that lets one waiter through and stays set until one came: what happened while nobody waited is not lost.</summary>
internal sealed class Pulse : IDisposable
{
    private readonly SemaphoreSlim set = new(0, 1);

    public void Set()
    {
        // Whatever the caller has written must be seen by a waiter who takes the pulse that this finds set.
        Interlocked.MemoryBarrier();
        if (set.CurrentCount > 0)
            return;
        try
        {
            set.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else has set it in between; once is enough.
        }
    }

    /// <summary>Waits until it is set, or the time is up.</summary>
    public Task WaitAsync(TimeSpan atMost, CancellationToken cancel) => set.WaitAsync(atMost, cancel);

    public void Dispose() => set.Dispose();
}
