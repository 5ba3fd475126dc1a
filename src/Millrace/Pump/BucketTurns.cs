using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Says which buckets to claim from. Each turn goes once around all that may hold something, and begins one further on
/// than the turn before, so none waits until another is empty. A hint only hastens: what nobody has told of is found by a
/// look at all buckets together, in one round trip, which is taken when there are no hints, and after each poll interval.
/// </summary>
internal sealed class BucketTurns(Database database, DueStore dues, PumpSignal signal, PumpOptions settings, TimeProvider time)
{
    // How soon to look again where something is ready that nobody could claim: somebody else has locked it.
    private static readonly TimeSpan Locked = TimeSpan.FromMilliseconds(20);

    // How often to look while there are hints: a timer or a start in a bucket without any waits for that.
    private static readonly TimeSpan WhileBusy = TimeSpan.FromMilliseconds(100);

    private readonly bool[] ripe = new bool[database.Buckets];
    private readonly TimeSpan?[] due = new TimeSpan?[database.Buckets];
    private readonly TimeSpan lookEvery = settings.PollInterval < WhileBusy ? settings.PollInterval : WhileBusy;
    private long lookedAt;
    private int begin;

    /// <summary>Whether the last turn was preceded by a look, so that what it did not name is not ready.</summary>
    public bool HasLooked { get; private set; }

    /// <summary>The buckets of the next turn, in their order.</summary>
    public async Task<IReadOnlyList<short>> NextAsync(CancellationToken cancel)
    {
        for (var bucket = 0; bucket < ripe.Length; bucket++)
            ripe[bucket] |= signal.TakeHint(bucket) | HasComeDue(bucket);
        HasLooked = !ripe.Contains(true) || (ripe.Length > 1 && time.GetElapsedTime(lookedAt) >= lookEvery);
        if (HasLooked)
            await LookAsync(cancel);

        var turn = new List<short>();
        begin = (begin + 1) % ripe.Length;
        for (var step = 0; step < ripe.Length; step++)
        {
            var bucket = (begin + step) % ripe.Length;
            if (ripe[bucket])
                turn.Add((short)bucket);
            ripe[bucket] = false;
        }

        return turn;
    }

    /// <summary>Waits for a hint, for the next instance to be due, or until the time is up.</summary>
    public Task IdleAsync(TimeSpan atMost, CancellationToken cancel)
    {
        var pause = atMost;
        foreach (var next in due)
        {
            var left = next <= TimeSpan.Zero ? Locked : next - time.GetElapsedTime(lookedAt);
            if (left < pause)
                pause = left.Value;
        }

        // Timers of the system count whole milliseconds, and one that goes off early would be followed by another.
        return signal.WaitAsync(TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(pause.TotalMilliseconds))), cancel);
    }

    /// <summary>How long until the next instance of any bucket can be claimed; null where none waits for a time.</summary>
    public async Task<TimeSpan?> NextDueAsync(CancellationToken cancel) =>
        (await dues.AskAsync(cancel)).Min() is { } next ? (next > TimeSpan.Zero ? next : TimeSpan.Zero) : null;

    private async Task LookAsync(CancellationToken cancel)
    {
        var answer = await dues.AskAsync(cancel);
        lookedAt = time.GetTimestamp();
        for (var bucket = 0; bucket < ripe.Length; bucket++)
        {
            due[bucket] = answer[bucket];
            ripe[bucket] |= answer[bucket] <= TimeSpan.Zero;
        }
    }

    // A timer that the last look has told of. It needs no other look when its time comes.
    private bool HasComeDue(int bucket)
    {
        if (!(due[bucket] > TimeSpan.Zero && due[bucket] <= time.GetElapsedTime(lookedAt)))
            return false;
        due[bucket] = null;
        return true;
    }
}
