namespace Millrace.Tests.Support;

/// <summary>
/// Time for code that is written with <c>await</c>: one thing after the other, on one thread. Of things at the same time
/// the one that stands first in the workflow comes first.
/// </summary>
internal sealed class VirtualTime
{
    /// <summary>The beginning.</summary>
    public static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly SortedDictionary<Due, TaskCompletionSource> timers = [];
    private int order;
    private bool isTimer;

    /// <summary>Microseconds since the beginning.</summary>
    public long Now { get; private set; }

    /// <summary>
    /// Changes with whatever happens next, but for timers that are due at the same time: they are one event to the machine.
    /// </summary>
    public int Decision { get; private set; }

    /// <summary>Waits. Ends of executions come before arrivals, and those before timers.</summary>
    public async Task WaitUntilAsync(long at, string place, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var key = new Due(Math.Max(at, Now), place, order++);
        var timer = timers[key] = new();
        await using var registration = stop.Register(() =>
        {
            if (timers.Remove(key))
                timer.TrySetCanceled(stop);
        }).ConfigureAwait(false);
        await timer.Task.ConfigureAwait(false);
    }

    /// <summary>Lets time pass until a task has ended.</summary>
    public void Run(Task task)
    {
        while (!task.IsCompleted)
        {
            if (timers.Count == 0)
                throw new InvalidOperationException("Everything waits, and nothing will come.");
            var (key, timer) = timers.First();
            timers.Remove(key);
            if (key.At != Now || !(isTimer && IsTimer(key)))
                Decision++;
            isTimer = IsTimer(key);
            Now = key.At;
            timer.SetResult();
        }
    }

    private static bool IsTimer(Due due) => due.Place.StartsWith('2');

    private readonly record struct Due(long At, string Place, int Order) : IComparable<Due>
    {
        public int CompareTo(Due other) =>
            At != other.At ? At.CompareTo(other.At) : string.CompareOrdinal(Place, other.Place) is not 0 and var places ? places : Order.CompareTo(other.Order);
    }
}
