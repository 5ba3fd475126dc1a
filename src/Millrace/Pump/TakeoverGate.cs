namespace Millrace.Pump;

/// <summary>
/// Where workers are lost with what they run, nobody knows which of it took them down. So what is taken over begins a few at
/// a time: those that fewest workers were lost with first, and alone where one more would be too many. Only what has begun
/// counts when the next worker is lost, so the others that one had in hand are not given up along with the one that does it.
/// A place is given back with the first sign of life.
/// </summary>
/// <param name="mostLosses">After how many losses in a row an instance is given up.</param>
/// <param name="time">For how long what shows no sign of life, and takes nobody down, keeps its place.</param>
internal sealed class TakeoverGate(int mostLosses, TimeProvider time)
{
    /// <summary>How many may begin at a time.</summary>
    public const int Places = 128;

    /// <summary>What has been executed for so long is not what takes a worker down as soon as it begins.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    // Before the last chance, four at a time.
    private const int Careful = Places / 4;

    private readonly Lock door = new();
    private readonly PriorityQueue<Waiter, (int Claims, long Number)> waiting = new();
    private int free = Places;
    private long number;
    private int outside;

    /// <summary>How many wait for a place.</summary>
    public int Waiting => Volatile.Read(ref outside);

    /// <summary>Waits for a place, which is given back by disposing of it.</summary>
    /// <param name="claims">How many workers in a row have claimed the instance, this one included.</param>
    /// <param name="cancel">Stops waiting for it.</param>
    public async Task<IDisposable> EnterAsync(int claims, CancellationToken cancel)
    {
        var waiter = new Waiter(claims >= mostLosses ? Places : claims == mostLosses - 1 ? Careful : 1);
        Interlocked.Increment(ref outside);
        try
        {
            lock (door)
            {
                waiting.Enqueue(waiter, (claims, number++));
                LetIn();
            }

            await using var registration = cancel.UnsafeRegister(_ => GiveUp(waiter, cancel), null);
            return await waiter.Task;
        }
        finally
        {
            Interlocked.Decrement(ref outside);
        }
    }

    // One that has been let in in the same moment gives its place back by itself after a while.
    private void GiveUp(Waiter waiter, CancellationToken cancel)
    {
        if (!waiter.TrySetCanceled(cancel))
            return;
        lock (door)
            LetIn();
    }

    // The first one waits for as many places as it needs; those behind it have lost more workers.
    private void LetIn()
    {
        while (waiting.TryPeek(out var first, out _) && (first.Task.IsCompleted || first.Needs <= free))
        {
            waiting.Dequeue();
            if (first.Task.IsCompleted)
                continue;
            free -= first.Needs;
            var place = new Place(this, first.Needs, time);
            if (!first.TrySetResult(place))
                place.Dispose();
        }
    }

    private void Leave(int places)
    {
        lock (door)
        {
            free += places;
            LetIn();
        }
    }

    private sealed class Waiter(int needs) : TaskCompletionSource<IDisposable>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public int Needs => needs;
    }

    private sealed class Place : IDisposable
    {
        private readonly TakeoverGate gate;
        private readonly ITimer timer;
        private int places;

        public Place(TakeoverGate gate, int places, TimeProvider time)
        {
            (this.gate, this.places) = (gate, places);
            timer = time.CreateTimer(static place => ((Place)place!).Dispose(), this, Longest, Timeout.InfiniteTimeSpan);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref places, 0) is not 0 and var held)
            {
                timer.Dispose();
                gate.Leave(held);
            }
        }
    }
}
