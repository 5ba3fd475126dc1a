namespace Millrace.Workflows;

/// <summary>How failed attempts of a node are repeated: exponential back-off with an upper bound.</summary>
/// <param name="Attempts">How many attempts in all, the first included.</param>
/// <param name="Backoff">The pause after the first failed attempt.</param>
/// <param name="Factor">What each further pause is multiplied by.</param>
/// <param name="MaxBackoff">The longest pause.</param>
/// <param name="Jitter">Whether each pause is shortened by up to a half, so that failures do not come back in step.</param>
public sealed record Retry(int Attempts, TimeSpan Backoff, double Factor, TimeSpan MaxBackoff, bool Jitter)
{
    /// <summary>What a retry is where only the attempts are given.</summary>
    public static Retry Default { get; } = new(3, TimeSpan.FromSeconds(1), 2, TimeSpan.FromMinutes(5), Jitter: true);

    /// <summary>One attempt.</summary>
    public static Retry None { get; } = Default with { Attempts = 1 };

    /// <summary>The pause after a failed attempt, in whole microseconds.</summary>
    /// <param name="attempt">The attempt that failed, from 1.</param>
    /// <param name="share">Where in the jitter's range to land, from 0 to 1; the same input gives the same pause.</param>
    /// <param name="least">The shortest pause, whatever the bound; it is lengthened by up to a quarter, so that those who were told the same do not come at once.</param>
    public TimeSpan PauseAfter(int attempt, double share, TimeSpan? least = null)
    {
        // Nothing times infinity would be no number.
        var pause = Backoff == TimeSpan.Zero ? 0 : Math.Min(Backoff.TotalMilliseconds * Math.Pow(Factor, attempt - 1), MaxBackoff.TotalMilliseconds);
        var milliseconds = Jitter ? pause * (1 - (share / 2)) : pause;
        if (least is { } atLeast)
            milliseconds = Math.Max(milliseconds, atLeast.TotalMilliseconds * (Jitter ? 1 + (share / 4) : 1));
        return new((long)Math.Round(milliseconds * 1000) * TimeSpan.TicksPerMicrosecond);
    }
}
