namespace Millrace.Store;

/// <summary>A moment, as this process measures time and as the store does: either may pass while the other stands still.</summary>
/// <param name="Timestamp">By the clock that nobody sets.</param>
/// <param name="StoreTime">By the store's, as it was known then.</param>
internal readonly record struct LeaseTime(long Timestamp, DateTimeOffset StoreTime)
{
    /// <summary>The earlier of each.</summary>
    public LeaseTime Earliest(LeaseTime other) =>
        new(Math.Min(Timestamp, other.Timestamp), StoreTime < other.StoreTime ? StoreTime : other.StoreTime);
}

/// <summary>
/// The store's time, as far as this process knows: what the store last said, and the time that has passed since by a
/// clock that nobody sets. Timers, history and ids use it, so a machine whose clock is wrong, or is put right, fires
/// nothing early. Leases need no clock here at all: the store grants them and takes them away.
/// </summary>
internal sealed class StoreClock
{
    private static readonly TimeSpan Trustworthy = TimeSpan.FromMilliseconds(500);
    private readonly TimeProvider time;
    private long offsetTicks;
    private bool hasObserved;

    /// <param name="time">Measures what passes, and gives the time until the store has been asked.</param>
    public StoreClock(TimeProvider time)
    {
        this.time = time;
        offsetTicks = time.GetUtcNow().UtcTicks - PassedTicks;
    }

    /// <summary>The store's time now, in whole microseconds, which is what the store keeps.</summary>
    public DateTimeOffset Now
    {
        get
        {
            var ticks = PassedTicks + Interlocked.Read(ref offsetTicks);
            return new(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
        }
    }

    /// <summary>This moment, by both clocks.</summary>
    public LeaseTime Moment => new(time.GetTimestamp(), Now);

    /// <summary>
    /// How long ago a moment was, by the clock by which that is longer: a machine that was suspended has not counted that
    /// time itself, and the store's clock, by which leases run out, may be put right.
    /// </summary>
    public TimeSpan AgeOf(LeaseTime moment)
    {
        var (passed, storePassed) = (time.GetElapsedTime(moment.Timestamp), Now - moment.StoreTime);
        return passed > storePassed ? passed : storePassed;
    }

    /// <summary>Takes in the store's time. An answer that was long under way says little: nobody knows where it spent the time.</summary>
    /// <param name="storeNow">The store's time.</param>
    /// <param name="askedAt">When it was asked, as a timestamp.</param>
    public void Observe(DateTimeOffset storeNow, long askedAt)
    {
        if (time.GetElapsedTime(askedAt) > Trustworthy && Volatile.Read(ref hasObserved))
            return;
        Interlocked.Exchange(ref offsetTicks, storeNow.UtcTicks - PassedTicks);
        Volatile.Write(ref hasObserved, true);
    }

    /// <summary>Asks the store.</summary>
    public async Task AskAsync(Database database, CancellationToken cancel)
    {
        var asked = time.GetTimestamp();
        await using var command = database.Source.CreateCommand("SELECT clock_timestamp()");
        Observe(new((DateTime)(await command.ExecuteScalarAsync(cancel))!), asked);
    }

    private long PassedTicks => time.GetElapsedTime(0, time.GetTimestamp()).Ticks;
}
