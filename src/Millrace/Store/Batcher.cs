using System.Diagnostics;
using System.Threading.Channels;
using Npgsql;

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
}

/// <summary>
/// Turns many small writes into few larger ones (group commit) without waiting for any: an idle flusher takes what is
/// there at once, and while all are busy items gather. Every caller gets its own outcome, after the commit.
/// If a batch fails for what is in it, its items are tried one by one, so that one bad item harms only itself.
/// </summary>
internal sealed class Batcher<TItem, TResult> : IAsyncDisposable
{
    private readonly Channel<Entry> entries;
    private readonly Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> flush;
    private readonly Func<TItem, int> size;
    private readonly BatcherSettings settings;
    private readonly Task[] flushers;
    private long waitingBytes;

    /// <param name="settings">How it works.</param>
    /// <param name="size">An item's approximate size in bytes.</param>
    /// <param name="flush">Writes a batch; the results are in the order of the items.</param>
    public Batcher(BatcherSettings settings, Func<TItem, int> size, Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> flush)
    {
        (this.settings, this.size, this.flush) = (settings, size, flush);
        entries = Channel.CreateBounded<Entry>(settings.Capacity);
        flushers = [.. Enumerable.Range(0, settings.Flushers).Select(_ => Task.Run(FlushAllAsync))];
    }

    /// <summary>Hands an item in and waits until it is stored.</summary>
    /// <exception cref="StoreBusyException">Too much is waiting already.</exception>
    public Task<TResult> AddAsync(TItem item)
    {
        var entry = new Entry(item, size(item), new(TaskCreationOptions.RunContinuationsAsynchronously));
        if (Interlocked.Add(ref waitingBytes, entry.Bytes) > settings.CapacityBytes || !entries.Writer.TryWrite(entry))
        {
            Interlocked.Add(ref waitingBytes, -entry.Bytes);
            throw new StoreBusyException();
        }

        return entry.Done.Task;
    }

    /// <summary>Writes what is waiting, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        entries.Writer.TryComplete();
        await Task.WhenAll(flushers);
    }

    private async Task FlushAllAsync()
    {
        var batch = new List<Entry>(settings.MaxItems);
        while (await entries.Reader.WaitToReadAsync())
        {
            Take(batch);
            if (batch.Count == 0)
                continue;
            await FlushAsync(batch);
            foreach (var entry in batch)
                Interlocked.Add(ref waitingBytes, -entry.Bytes);
            batch.Clear();
        }
    }

    private void Take(List<Entry> batch)
    {
        var bytes = 0L;
        while (batch.Count < settings.MaxItems && bytes < settings.MaxBytes && entries.Reader.TryRead(out var entry))
        {
            batch.Add(entry);
            bytes += entry.Bytes;
        }
    }

    private async Task FlushAsync(List<Entry> batch)
    {
        try
        {
            var results = await flush([.. batch.Select(entry => entry.Item)]);
            Debug.Assert(results.Count == batch.Count, "A flush answers every item.");
            for (var i = 0; i < batch.Count; i++)
                batch[i].Done.TrySetResult(results[i]);
        }
        catch (Exception e) when (batch.Count > 1 && LiesInTheItems(e))
        {
            foreach (var entry in batch)
                await FlushAsync([entry]);
        }
        catch (Exception e)
        {
            foreach (var entry in batch)
                entry.Done.TrySetException(e);
        }
    }

    // A server that is away, or that shuts down, would refuse every item the same way.
    private static bool LiesInTheItems(Exception e) => e is PostgresException { IsTransient: false } or ArgumentException or FormatException;

    private sealed record Entry(TItem Item, int Bytes, TaskCompletionSource<TResult> Done);
}
