using Millrace.Configuration;
using Millrace.Pump;

namespace Millrace.Waking;

/// <summary>
/// Decides for one process when tokens are sent and which need no drain any more. It knows nothing of other processes and
/// asks nobody: correctness rests on the store, and what a lost token leaves behind is found by the pump's schedule.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>What becomes ready is worth a token at once, and then no other for the spacing: the drain that it calls begins
/// later than it was sent, and goes on looking for longer than that. Much at once is worth several, to call several processes.</item>
/// <item>A drain that leaves something passes one token on; so one that was worth being called goes on until nothing is left.
/// The schedule's drains send a common one, lest there be more to pass on after each of them.</item>
/// <item>While a process drains, tokens gather. Those that are older than its last look have been answered by it, or will
/// be by the one that it has passed on: they are spent, and cost nothing. Tokens that were passed on are spent only by a
/// look that found nothing, lest parallel drains take each other's; or once they have waited for so long that everybody who
/// could take them must be busy.</item>
/// <item>A drain that knows when the next timer is due has a token delivered at that time, unless it has had one for then already.</item>
/// </list>
/// All methods take the time and none waits, so that hours can be simulated. Not thread-safe.
/// </remarks>
public sealed class WakePolicy(WakeOptions settings)
{
    // About two drains long.
    private static readonly TimeSpan Unwanted = TimeSpan.FromMinutes(2);

    private DateTimeOffset windowFrom = DateTimeOffset.MinValue;
    private int readyInWindow;
    private int sentInWindow;
    private DateTimeOffset answeredUntil = DateTimeOffset.MinValue;
    private DateTimeOffset emptyUntil = DateTimeOffset.MinValue;
    private DateTimeOffset promised = DateTimeOffset.MinValue;

    /// <summary>How many tokens to send for instances that have just become ready.</summary>
    public int ForReady(int instances, DateTimeOffset now)
    {
        if (instances <= 0)
            return 0;
        if (now - windowFrom >= settings.Spacing)
            (windowFrom, readyInWindow, sentInWindow) = (now, 0, 0);
        readyInWindow = (int)Math.Min((long)readyInWindow + instances, int.MaxValue / 2);
        var wanted = Math.Min(settings.MostTokens, (readyInWindow + settings.InstancesPerToken - 1) / settings.InstancesPerToken);
        var tokens = Math.Max(0, wanted - sentInWindow);
        sentInWindow += tokens;
        return tokens;
    }

    /// <summary>Whether a drain of this process has answered a token already.</summary>
    public bool IsSpent(WakeToken token) => token.Reason is WakeReason.More
        ? token.At < emptyUntil || token.At < answeredUntil - Unwanted
        : token.At < answeredUntil;

    /// <summary>What to send after a drain: each token, and how long the queue is to hold it back.</summary>
    /// <param name="report">What the drain left.</param>
    /// <param name="now">When it ended.</param>
    /// <param name="isScheduled">Whether the schedule has called it, and not a token that it could pass on.</param>
    public IReadOnlyList<(WakeToken Token, TimeSpan Delay)> AfterDrain(DrainReport report, DateTimeOffset now, bool isScheduled = false)
    {
        if (report.MoreIsReady)
        {
            answeredUntil = now;
            return [(new(isScheduled ? WakeReason.Ready : WakeReason.More, now), TimeSpan.Zero)];
        }

        answeredUntil = emptyUntil = now - Tolerance;
        if (report.NextDue is not { } due || due > settings.Horizon)
            return [];
        var at = now + due;
        if (promised > now && at >= promised - settings.Spacing)
            return [];
        promised = at;
        return [(new(WakeReason.Due, at), due > TimeSpan.Zero ? due : TimeSpan.Zero)];
    }

    // What becomes ready within the spacing after a token was sent relies on it, so a look that spends it for good must be
    // later than that; and all processes go by the store's time, which each knows to about half a second.
    private TimeSpan Tolerance => settings.Spacing + TimeSpan.FromSeconds(1);
}
