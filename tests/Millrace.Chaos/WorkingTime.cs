using System.Diagnostics;

namespace Millrace.Chaos;

/// <summary>A clock that stands still while no server can do anything: what stands still then does so by right.</summary>
internal sealed class WorkingTime
{
    private readonly Lock gate = new();
    private readonly long began = Stopwatch.GetTimestamp();
    private TimeSpan lost;
    private long stoppedAt;
    private int stops;

    /// <summary>How long it has been going.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            lock (gate)
                return Stopwatch.GetElapsedTime(began, stops > 0 ? stoppedAt : Stopwatch.GetTimestamp()) - lost;
        }
    }

    /// <summary>Stops it until the result is disposed.</summary>
    public IDisposable Stop()
    {
        lock (gate)
        {
            if (stops++ == 0)
                stoppedAt = Stopwatch.GetTimestamp();
        }

        return new Stopped(this);
    }

    private void GoOn()
    {
        lock (gate)
        {
            if (--stops == 0)
                lost += Stopwatch.GetElapsedTime(stoppedAt);
        }
    }

    private sealed class Stopped(WorkingTime time) : IDisposable
    {
        public void Dispose() => time.GoOn();
    }
}
