namespace Millrace.Nodes;

/// <summary>Times after which something is given up.</summary>
internal static class TimeLimit
{
    /// <summary>A timer cannot be set for much longer; what may take longer has no limit.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    /// <summary>A time that a timer can be set for.</summary>
    public static TimeSpan Of(TimeSpan time) => time < Longest ? time : Timeout.InfiniteTimeSpan;
}
