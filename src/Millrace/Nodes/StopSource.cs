namespace Millrace.Nodes;

/// <summary>
/// Tells code that is not ours, such as a driver's or a handler's, to stop. What it throws when it is told stays with it,
/// and what it takes its time for keeps nobody: it is told on a thread of its own, so that it can neither hold up nor break
/// whoever stops it, be that a host that ends or a timer, where an exception would end the process, and whoever waits for
/// it waits with another token.
/// </summary>
internal sealed class StopSource : IDisposable
{
    // They are not disposed of: whoever was not told yet would never be, and they hold nothing but memory.
    private readonly CancellationTokenSource waits = new();
    private readonly CancellationTokenSource source = new();
    private readonly CancellationTokenRegistration registration;
    private readonly ITimer timer;

    /// <param name="time">Measures its limit, where it is given one.</param>
    /// <param name="cancel">Stops it too.</param>
    public StopSource(TimeProvider time, CancellationToken cancel)
    {
        timer = time.CreateTimer(static self => ((StopSource)self!).Stop(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        registration = StopWith(cancel);
    }

    /// <param name="limit">Stops it after this time.</param>
    /// <param name="time">Measures it.</param>
    public StopSource(TimeSpan limit, TimeProvider time)
        : this(time, CancellationToken.None) => StopAfter(limit);

    /// <summary>Cancelled when it has to stop: for the code that is told.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>Cancelled when it has to stop: for those who wait for that code, and not longer than this.</summary>
    public CancellationToken Waits => waits.Token;

    /// <summary>Whether it has to stop.</summary>
    public bool IsStopped => source.IsCancellationRequested;

    /// <summary>Stops it with another token too, until the registration is disposed of.</summary>
    public CancellationTokenRegistration StopWith(CancellationToken cancel) =>
        cancel.UnsafeRegister(static self => ((StopSource)self!).Stop(), this);

    /// <summary>Stops it after a time from now, in place of one that was set before.</summary>
    public void StopAfter(TimeSpan limit) => timer.Change(TimeLimit.Of(limit), Timeout.InfiniteTimeSpan);

    /// <summary>Stops it now.</summary>
    public void Stop()
    {
        _ = source.CancelAsync();
        _ = waits.CancelAsync();
    }

    /// <summary>From now on nothing stops it but <see cref="Stop"/>.</summary>
    public void Dispose()
    {
        registration.Dispose();
        timer.Dispose();
    }
}
