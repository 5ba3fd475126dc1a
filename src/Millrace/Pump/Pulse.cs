namespace Millrace.Pump;

/// <summary>An event that lets one waiter through and stays set until one came: what happened while nobody waited is not lost.</summary>
internal sealed class Pulse : IDisposable
{
    private readonly SemaphoreSlim set = new(0, 1);

    public void Set()
    {
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
