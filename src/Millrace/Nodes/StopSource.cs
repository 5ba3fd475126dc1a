namespace Millrace.Nodes;

/// <summary>
/// Tells code that is not ours, such as a driver's or a handler's, to stop. What it throws when it is told stays with it:
/// it is told on a thread of its own, so that it can neither keep nor break whoever stops it, be that a host that ends
/// or a timer, where an exception would end the process.
/// </summary>
internal sealed class StopSource : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly CancellationTokenRegistration registration;
    private readonly ITimer timer;

    /// <param name="time">Measures its limit, where it is given one.</param>
    /// <param name="cancel">Stops it too.</param>
    public StopSource(TimeProvider time, CancellationToken cancel)
    {
        timer = time.CreateTimer(static self => ((StopSource)self!).Stop(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        registration = cancel.UnsafeRegister(static self => ((StopSource)self!).Stop(), this);
    }

    /// <param name="limit">Stops it after this time.</param>
    /// <param name="time">Measures it.</param>
    public StopSource(TimeSpan limit, TimeProvider time)
        : this(time, CancellationToken.None) => StopAfter(limit);

    /// <summary>Cancelled when it has to stop.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>Stops it after a time from now, in place of one that was set before.</summary>
    public void StopAfter(TimeSpan limit) => timer.Change(TimeLimit.Of(limit), Timeout.InfiniteTimeSpan);

    /// <summary>Stops it now. Without effect where it has ended in this moment.</summary>
    public void Stop()
    {
        try
        {
            _ = source.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has ended.
        }
    }

    public void Dispose()
    {
        registration.Dispose();
        timer.Dispose();
        source.Dispose();
    }
}
