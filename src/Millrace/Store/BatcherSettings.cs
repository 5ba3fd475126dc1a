namespace Millrace.Store;

/// <summary>More is waiting to be stored than this process will hold; the caller should come back later.</summary>
public sealed class StoreBusyException() : Exception("The store cannot keep up with the requests right now.");

/// <summary>How a <see cref="Batcher{TItem,TResult}"/> works.</summary>
/// <param name="MaxItems">The most items in a batch.</param>
/// <param name="Capacity">The most items that may wait; more are refused.</param>
/// <param name="Flushers">How many batches may be under way at once.</param>
internal sealed record BatcherSettings(int MaxItems, int Capacity, int Flushers)
{
    /// <summary>A batch is closed before it outgrows this many bytes, unless one item alone does.</summary>
    public int MaxBytes { get; init; } = 4 << 20;

    /// <summary>The most bytes that may wait; more are refused.</summary>
    public long CapacityBytes { get; init; } = 64 << 20;

    /// <summary>
    /// A second batch is begun beside one that is under way only if so many items wait: a few small batches cost far more
    /// than one of their size together, and the one under way ends soon.
    /// </summary>
    public int SideBySide { get; init; } = 1;

    /// <summary>If it does not end soon, because it waits for a lock or a slow disk, nobody waits for longer than this behind it.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMilliseconds(50);
}
