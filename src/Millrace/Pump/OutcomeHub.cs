using System.Collections.Concurrent;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Tells those who wait for an instance's end about it: at once where it ends in this process, otherwise by looking into
/// the store for all of them together.
/// </summary>
public sealed class OutcomeHub : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    private readonly Database database;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<Guid, Waiter> waiters = new();
    private readonly StopSource stop;
    private readonly Pulse anybody = new();
    private readonly RecentEnds recent = new(4096);
    private readonly Task looking;
    private volatile bool isClosed;

    internal OutcomeHub(Database database, TimeProvider time, CancellationToken stopping)
    {
        (this.database, this.time) = (database, time);
        stop = new(time, stopping);
        looking = Task.Run(LookAsync, CancellationToken.None);
    }

    private Registration Register(Guid organisation, Guid instance)
    {
        var waiter = Join(organisation, instance);
        if (recent.Contains(instance))
            waiter.Ended.TrySetResult(true);
        if (isClosed)
            waiter.Ended.TrySetResult(false);
        anybody.Set();
        return new(this, instance, waiter.Ended.Task);
    }

    /// <summary>Waits until an instance has ended, the time is up or the process stops; true if it has ended.</summary>
    public async Task<bool> WaitAsync(Guid organisation, Guid instance, TimeSpan atMost, CancellationToken cancel)
    {
        using var registration = Register(organisation, instance);
        try
        {
            return await registration.Ended.WaitAsync(atMost, time, cancel);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>An instance that had ended goes on.</summary>
    public void Forget(Guid instance) => recent.Remove(instance);

    /// <summary>An instance has ended, and that is durable.</summary>
    internal void Announce(Guid instance)
    {
        recent.Add(instance);
        if (waiters.TryGetValue(instance, out var waiter))
            waiter.Ended.TrySetResult(true);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        stop.Stop();
        await looking;
        stop.Dispose();
        anybody.Dispose();
    }

    private Waiter Join(Guid organisation, Guid instance)
    {
        while (true)
        {
            var waiter = waiters.GetOrAdd(instance, static (_, organisation) => new(organisation), organisation);
            lock (waiter)
            {
                if (waiter.Gone)
                    continue;
                waiter.Count++;
                return waiter;
            }
        }
    }

    private void Unregister(Guid instance)
    {
        if (!waiters.TryGetValue(instance, out var waiter))
            return;
        lock (waiter)
        {
            if (--waiter.Count > 0)
                return;
            waiter.Gone = true;
            waiters.TryRemove(instance, out _);
        }
    }

    private async Task LookAsync()
    {
        try
        {
            while (true)
            {
                if (waiters.IsEmpty)
                    await anybody.WaitAsync(Timeout.InfiniteTimeSpan, stop.Token);
                await Task.Delay(LookEvery, time, stop.Token);
                await LookOnceAsync();
            }
        }
        catch (OperationCanceledException) when (stop.IsStopped)
        {
            // The process stops, and whoever waits is answered what is known.
            isClosed = true;
            foreach (var (_, waiter) in waiters)
                waiter.Ended.TrySetResult(false);
        }
    }

    private async Task LookOnceAsync()
    {
        try
        {
            var asked = waiters.Select(waiter => (waiter.Key, waiter.Value.Organisation)).ToList();
            await database.Weeks.AskAsync(database.Source, SqlText.EndedAmong, asked, reader => Announce(reader.GetGuid(0)), stop.Token);
        }
        catch (Exception e) when (!stop.IsStopped)
        {
            // The next look will tell; whoever waits has a time limit of its own.
            database.Suspect(e);
        }
    }

    private sealed class Registration(OutcomeHub hub, Guid instance, Task<bool> ended) : IDisposable
    {
        public Task<bool> Ended => ended;

        public void Dispose() => hub.Unregister(instance);
    }

    private sealed class Waiter(Guid organisation)
    {
        public Guid Organisation => organisation;

        public int Count;
        public bool Gone;

        public TaskCompletionSource<bool> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
