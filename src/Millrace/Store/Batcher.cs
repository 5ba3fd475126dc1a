using System.Diagnostics;
using Millrace.Faults;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Turns many small writes into few larger ones (group commit) without waiting for any: while nothing is under way an item
/// is written at once, and what comes meanwhile gathers. Every caller gets its own outcome, after the commit.
/// If a transaction fails for what is in it, its halves are tried, then their halves, so that one bad item harms only
/// itself, and the others wait for a few tries and not for one each. What has been committed is never sent again.
/// </summary>
internal sealed class Batcher<TItem, TResult> : IAsyncDisposable
{
    private readonly Queue<Entry> waiting = new();
    private readonly Lock gate = new();
    private readonly Func<IReadOnlyList<TItem>, Task<IReadOnlyList<Written<TResult>>>> flush;
    private readonly Func<TItem, int> size;
    private readonly BatcherSettings settings;
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long heldBytes;
    private int underWay;
    private Entry? watched;
    private bool closed;

    /// <summary>A batcher whose batches are one transaction each.</summary>
    /// <param name="settings">How it works.</param>
    /// <param name="size">An item's approximate size in bytes.</param>
    /// <param name="flush">Writes a batch, or nothing of it and throws; the results are in the order of the items.</param>
    public Batcher(BatcherSettings settings, Func<TItem, int> size, Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> flush)
        : this(settings, items => AllAsync(flush(items)), size)
    {
    }

    private Batcher(BatcherSettings settings, Func<IReadOnlyList<TItem>, Task<IReadOnlyList<Written<TResult>>>> flush, Func<TItem, int> size) =>
        (this.settings, this.size, this.flush) = (settings, size, flush);

    /// <summary>A batcher whose batches may take several transactions, so that some items may be written where others are not.</summary>
    /// <param name="settings">How it works.</param>
    /// <param name="size">An item's approximate size in bytes.</param>
    /// <param name="flush">Writes a batch and says of each item what became of it; throws only where nothing was written.</param>
    public static Batcher<TItem, TResult> ItemByItem(
        BatcherSettings settings, Func<TItem, int> size, Func<IReadOnlyList<TItem>, Task<IReadOnlyList<Written<TResult>>>> flush) => new(settings, flush, size);

    /// <summary>Likewise, where an item alone tells which transaction it belongs to.</summary>
    /// <param name="settings">How it works.</param>
    /// <param name="size">An item's approximate size in bytes.</param>
    /// <param name="keyOf">Which items of a batch go together in one transaction.</param>
    /// <param name="flush">Writes one transaction, or nothing of it and throws; the results are in the order of the items.</param>
    public static Batcher<TItem, TResult> ByTransaction<TKey>(
        BatcherSettings settings, Func<TItem, int> size, Func<TItem, TKey> keyOf, Func<TKey, IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> flush) =>
        new(settings, items => Transactions.WriteAsync(items, keyOf, (key, group) => AllAsync(flush(key, group))), size);

    private static async Task<IReadOnlyList<Written<TResult>>> AllAsync(Task<IReadOnlyList<TResult>> flush) =>
        [.. (await flush).Select(result => new Written<TResult>(result))];

    /// <summary>Hands an item in and waits until it is stored.</summary>
    /// <exception cref="StoreBusyException">Too much is waiting already, or this was disposed of.</exception>
    public Task<TResult> AddAsync(TItem item)
    {
        var entry = new Entry(item, size(item));
        List<Entry>? batch = null;
        lock (gate)
        {
            if (closed || waiting.Count >= settings.Capacity || heldBytes + entry.Bytes > settings.CapacityBytes)
                throw new StoreBusyException();
            heldBytes += entry.Bytes;
            waiting.Enqueue(entry);
            if (underWay == 0 || (underWay < settings.Flushers && waiting.Count >= settings.SideBySide))
            {
                underWay++;
                batch = Take();
            }

            Watch();
        }

        if (batch is not null)
            _ = Task.Run(() => FlushAllAsync(batch));
        return entry.Task;
    }

    /// <summary>Writes what is waiting, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closed = true;
            if (underWay == 0)
                drained.TrySetResult();
        }

        await drained.Task;
    }

    // Whenever something is left to wait though another batch may be begun, the first one's time begins to run.
    private void Watch()
    {
        if (underWay == settings.Flushers || !waiting.TryPeek(out var first) || first == watched)
            return;
        watched = first;
        _ = OvertakeAsync(first);
    }

    // Begins a batch of its own for an item that is still waiting after a while, and for all behind it.
    private async Task OvertakeAsync(Entry entry)
    {
        await Task.Delay(settings.LongestWait).ConfigureAwait(false);
        List<Entry> batch;
        lock (gate)
        {
            if (watched == entry)
                watched = null;
            if (!waiting.TryPeek(out var first) || first != entry || underWay >= settings.Flushers)
                return;
            underWay++;
            batch = Take();
            Watch();
        }

        await FlushAllAsync(batch);
    }

    private async Task FlushAllAsync(List<Entry>? batch)
    {
        while (batch is not null)
        {
            await FlushAsync(batch);
            batch = Next(batch);
        }
    }

    // The next batch for whoever has written one; null if there is none, or too little to go beside another.
    private List<Entry>? Next(List<Entry> written)
    {
        lock (gate)
        {
            foreach (var entry in written)
                heldBytes -= entry.Bytes;
            var next = waiting.Count > 0 && (underWay == 1 || waiting.Count >= settings.SideBySide) ? Take() : null;
            if (next is null && --underWay == 0 && closed)
                drained.TrySetResult();
            Watch();
            return next;
        }
    }

    private List<Entry> Take()
    {
        var batch = new List<Entry>(Math.Min(settings.MaxItems, waiting.Count));
        var bytes = 0L;
        while (batch.Count < settings.MaxItems && bytes < settings.MaxBytes && waiting.TryDequeue(out var entry))
        {
            batch.Add(entry);
            bytes += entry.Bytes;
        }

        return batch;
    }

    // A part that failed as a whole, which shows by a fault that its items share, is halved until its bad items are alone.
    private async Task FlushAsync(List<Entry> batch)
    {
        var parts = new Stack<List<Entry>>([batch]);
        while (parts.TryPop(out var part))
        {
            foreach (var failed in (await WriteAsync(part)).GroupBy(item => item.Fault, item => item.Entry))
                Refuse([.. failed], failed.Key, parts);
        }
    }

    private static void Refuse(List<Entry> failed, Exception fault, Stack<List<Entry>> parts)
    {
        if (failed.Count > 1 && LiesInTheItems(fault))
        {
            parts.Push(failed[(failed.Count / 2)..]);
            parts.Push(failed[..(failed.Count / 2)]);
            return;
        }

        foreach (var entry in failed)
            entry.TrySetException(fault);
    }

    // Answers what was written, and returns the rest.
    private async Task<List<(Entry Entry, Exception Fault)>> WriteAsync(List<Entry> part)
    {
        var failed = new List<(Entry, Exception)>();
        IReadOnlyList<Written<TResult>> written;
        try
        {
            written = await flush([.. part.Select(entry => entry.Item)]);
            Debug.Assert(written.Count == part.Count, "A flush answers every item.");
        }
        catch (Exception e)
        {
            failed.AddRange(part.Select(entry => (entry, e)));
            return failed;
        }

        for (var i = 0; i < part.Count; i++)
        {
            if (written[i].Fault is { } fault)
                failed.Add((part[i], fault));
            else
                part[i].TrySetResult(written[i].Result!);
        }

        return failed;
    }

    // A server that is away, shuts down or takes no writes would refuse every item the same way, and so would one that
    // lacks a table or a right (class 42) or lets nobody in (28).
    private static bool LiesInTheItems(Exception e) => e switch
    {
        PostgresException { SqlState: ['4', '2', ..] or ['2', '8', ..] } => false,
        PostgresException => !StoreFaults.IsPassing(e),
        ArgumentException or FormatException => true,
        _ => false,
    };

    private sealed class Entry(TItem item, int bytes) : TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TItem Item => item;

        public int Bytes => bytes;
    }
}
