using System.Globalization;
using Millrace.Workflows;

namespace Millrace.Tests.Workflows;

public sealed class CronScheduleTests
{
    [Theory]
    [InlineData("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z")]
    [InlineData("*/15 * * * *", "UTC", "2026-01-01T00:14:59.999999Z", "2026-01-01T00:15:00Z")]
    [InlineData("0 3 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z")]
    [InlineData("0 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z")]
    [InlineData("0 9 * * MON-FRI", "America/New_York", "2026-01-02T15:00:00Z", "2026-01-05T14:00:00Z")]
    [InlineData("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z")]
    // A day restricted by both of its fields matches either.
    [InlineData("0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")]
    [InlineData("0 0 13 * 5", "UTC", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z")]
    public void The_next_time_is_the_one_a_clock_on_the_wall_would_show(string fields, string zone, string after, string next) =>
        Assert.Equal([next], Times(fields, zone, after, 1));

    /// <summary>In Berlin the clocks go from 02:00 to 03:00 on 29 March 2026: what falls in between happens once, at 03:00.</summary>
    [Fact]
    public void What_falls_into_a_gap_happens_once_at_the_first_moment_after_it()
    {
        Assert.Equal(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"], Times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3));
        Assert.Equal(
            ["2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"],
            Times("*/20 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 3));
    }

    /// <summary>On 25 October 2026 they go from 03:00 back to 02:00: each time in between happens once, the first time.</summary>
    [Fact]
    public void What_falls_into_an_overlap_happens_once_the_first_time()
    {
        Assert.Equal(["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"], Times("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3));
        Assert.Equal(
            ["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"],
            Times("0,30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 2));
        // Somebody who asks during the second pass is told what comes after it.
        Assert.Equal(["2026-10-25T02:00:00Z"], Times("*/10 * * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", 1));
    }

    /// <summary>On Lord Howe Island clocks are put forward by half an hour.</summary>
    [Fact]
    public void Gaps_need_not_be_whole_hours() =>
        Assert.Equal(["2026-10-03T15:30:00Z"], Times("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1));

    [Theory]
    [InlineData("* * * *", "not 4")]
    [InlineData("* * * * * *", "not 6")]
    [InlineData("60 * * * *", "five fields")]
    [InlineData("nonsense a b c d", "five fields")]
    [InlineData("0 0 30 2 *", "no day ever matches")]
    [InlineData("*/0 * * * *", "a step must be at least 1")]
    [InlineData("0 1,2-8/00 * * *", "a step must be at least 1")]
    public void A_schedule_that_is_none_is_refused(string fields, string fault)
    {
        Assert.Null(CronSchedule.Parse(fields, TimeZoneInfo.Utc, out var said));
        Assert.Contains(fault, said, StringComparison.Ordinal);
    }

    private static List<string> Times(string fields, string zone, string after, int count)
    {
        var schedule = CronSchedule.Parse(fields, TimeZoneInfo.FindSystemTimeZoneById(zone), out _)!;
        var at = DateTimeOffset.Parse(after, CultureInfo.InvariantCulture);
        var times = new List<string>();
        for (; count > 0; count--)
            times.Add((at = schedule.Next(at)).UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        return times;
    }
}
