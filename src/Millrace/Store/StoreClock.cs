namespace Millrace.Store;

/// <summary>
/// The store's time, as far as this process knows: its own clock, put right by what the store last said. Timers and
/// history use it, so a machine whose clock is wrong fires nothing early.
/// </summary>
internal sealed class StoreClock(TimeProvider time)
{
    private long offsetTicks;

    /// <summary>The store's time now, in whole microseconds, which is what the store keeps.</summary>
    public DateTimeOffset Now
    {
        get
        {
            var ticks = time.GetUtcNow().UtcTicks + Interlocked.Read(ref offsetTicks);
            return new(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
        }
    }

    /// <summary>Takes in the store's time, just read.</summary>
    public void Observe(DateTimeOffset storeNow) =>
        Interlocked.Exchange(ref offsetTicks, storeNow.UtcTicks - time.GetUtcNow().UtcTicks);
}
