using NCrontab;

namespace Millrace.Workflows;

/// <summary>
/// A schedule of five fields (minute, hour, day of the month, month, day of the week) in a time zone. As POSIX has it for
/// <c>crontab</c>, a day that is restricted by both of its fields matches either. Where clocks are put forward, what falls
/// into the gap happens once, at the first moment after it; where they are put back, each time of the day happens once,
/// the first time.
/// </summary>
public sealed class CronSchedule
{
    // The rarest day is a leap day, and the longest way to one is from 1896 to 1904.
    private static readonly TimeSpan Horizon = TimeSpan.FromDays(366 * 9);

    private readonly CrontabSchedule[] alternatives;

    private CronSchedule(string expression, TimeZoneInfo zone, CrontabSchedule[] alternatives) =>
        (Expression, Zone, this.alternatives) = (expression, zone, alternatives);

    /// <summary>The five fields as they were written.</summary>
    public string Expression { get; }

    /// <summary>The time zone whose clocks count.</summary>
    public TimeZoneInfo Zone { get; }

    /// <summary>Reads five fields; null and a reason where they are none, or no day ever matches.</summary>
    public static CronSchedule? Parse(string expression, TimeZoneInfo zone, out string fault)
    {
        var fields = expression.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 5)
        {
            fault = $"a schedule has five fields (minute, hour, day of the month, month, day of the week), not {fields.Length}";
            return null;
        }

        // The library takes it for every minute, hour or day.
        if (fields.SelectMany(field => field.Split(',')).Any(part => part.Split('/') is [_, var step] && step.Trim('0').Length == 0))
        {
            fault = "a step must be at least 1";
            return null;
        }

        var alternatives = new List<CrontabSchedule>();
        foreach (var alternative in Alternatives(fields))
        {
            if (CrontabSchedule.TryParse(alternative) is not { } schedule)
            {
                fault = "a schedule has five fields (minute, hour, day of the month, month, day of the week) such as \"30 3 * * 1-5\"";
                return null;
            }

            alternatives.Add(schedule);
        }

        var cron = new CronSchedule(expression, zone, [.. alternatives]);
        var possible = cron.NextLocal(new(2000, 1, 1)) is not null;
        fault = possible ? "" : "no day ever matches";
        return possible ? cron : null;
    }

    /// <summary>The next time after a moment.</summary>
    public DateTimeOffset Next(DateTimeOffset after)
    {
        var local = TimeZoneInfo.ConvertTime(after, Zone).DateTime;
        while (true)
        {
            local = NextLocal(local) ?? throw new InvalidOperationException($"\"{Expression}\" has no next time after {after:O}.");
            var moment = Moment(local);
            if (moment > after)
                return moment;
        }
    }

    private static IEnumerable<string> Alternatives(string[] fields) =>
        fields[2] == "*" || fields[4] == "*"
            ? [string.Join(' ', fields)]
            : [string.Join(' ', [.. fields[..4], "*"]), string.Join(' ', [.. fields[..2], "*", .. fields[3..]])];

    private DateTime? NextLocal(DateTime after)
    {
        var end = after + Horizon;
        var next = alternatives.Min(schedule => schedule.GetNextOccurrence(after, end));
        return next < end ? next : null;
    }

    private DateTimeOffset Moment(DateTime local)
    {
        if (Zone.IsInvalidTime(local))
            return EndOfGap(local);
        // Of two moments with the same time of the day, the one with the greater offset comes first.
        var offset = Zone.IsAmbiguousTime(local) ? Zone.GetAmbiguousTimeOffsets(local).Max() : Zone.GetUtcOffset(local);
        return new DateTimeOffset(local, offset).ToUniversalTime();
    }

    // Gaps begin and end at whole minutes.
    private DateTimeOffset EndOfGap(DateTime local)
    {
        var valid = new DateTime(local.Year, local.Month, local.Day, local.Hour, local.Minute, 0);
        while (Zone.IsInvalidTime(valid))
            valid = valid.AddMinutes(1);
        return new DateTimeOffset(valid, Zone.GetUtcOffset(valid)).ToUniversalTime();
    }
}
