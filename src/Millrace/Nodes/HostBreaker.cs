namespace Millrace.Nodes;

/// <summary>
/// Holds requests to a host back for a while after nearly all of the last ones have failed. When the pause is over,
/// everything goes through again, and is counted anew: a single probe would be drawn from whatever comes first, and while
/// one path of a host fails and is tried again and again, that is its requests, not the others'.
/// </summary>
/// <param name="failures">How many must have failed at the least.</param>
/// <param name="pause">How long requests are then held back.</param>
/// <param name="time">The clock.</param>
internal sealed class HostBreaker(int failures, TimeSpan pause, TimeProvider time)
{
    private const double FailingShare = 0.9;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private long openedAt;
    private long countedSince = time.GetTimestamp();
    private int opened;
    private int succeeded;
    private int failed;
    private bool isOpen;

    /// <summary>How long requests are held back from now on; null where they may go. The number is to be given with their reports.</summary>
    public (int Turn, TimeSpan? HeldFor) Ask()
    {
        lock (gate)
        {
            if (!isOpen)
                return (opened, null);
            var left = pause - time.GetElapsedTime(openedAt);
            if (left > TimeSpan.Zero)
                return (opened, left);
            isOpen = false;
            CountAnew();
            return (opened, null);
        }
    }

    /// <summary>A request has ended.</summary>
    /// <param name="turn">What was told when it was asked for: how requests end that began before a pause says nothing about what is after it.</param>
    /// <param name="wasAnswered">Whether the host has answered, and not with an error of its own.</param>
    public void Report(int turn, bool wasAnswered)
    {
        lock (gate)
        {
            if (isOpen || turn != opened)
                return;
            if (time.GetElapsedTime(countedSince) > Window)
                CountAnew();
            if (wasAnswered)
                succeeded++;
            else
                failed++;
            if (failed < failures || failed < FailingShare * (failed + succeeded))
                return;
            isOpen = true;
            opened++;
            openedAt = time.GetTimestamp();
        }
    }

    private void CountAnew() => (succeeded, failed, countedSince) = (0, 0, time.GetTimestamp());
}
