using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml;

namespace Millrace.Values;

/// <summary>
/// Durations as text: a number and a unit (<c>250ms</c>, <c>30s</c>, <c>5m</c>, <c>2h</c>, <c>1d</c>) or ISO 8601
/// without years and months, whose length varies (<c>PT1H30M</c>, <c>P2D</c>).
/// </summary>
public static partial class Duration
{
    /// <summary>The longest duration that is accepted: 100 years.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    /// <summary>What a fault says to somebody whose text is no duration.</summary>
    public const string Expected = "a duration such as \"250ms\", \"30s\", \"5m\", \"2h\", \"1d\" or ISO 8601 (\"PT1H30M\"), at most 36,500 days";

    /// <summary>Reads a duration. Negative ones and those beyond <see cref="Longest"/> are refused.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        if (text is null || text.Length > 40)
            return false;
        return Short().Match(text) is { Success: true } match ? TryShort(match, out duration) : TryIso(text, out duration);
    }

    private static bool TryShort(Match match, out TimeSpan duration)
    {
        duration = default;
        var unit = match.Groups["unit"].Value switch
        {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 86_400_000,
        };
        // In decimals, since 766.353 ms is no double; in whole microseconds, since the store's times are.
        var microseconds = decimal.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * unit * 1000;
        if (microseconds > (decimal)Longest.TotalMicroseconds)
            return false;
        duration = new((long)microseconds * TimeSpan.TicksPerMicrosecond);
        return true;
    }

    private static bool TryIso(string text, out TimeSpan duration)
    {
        duration = default;
        if (!Iso().IsMatch(text))
            return false;
        try
        {
            duration = XmlConvert.ToTimeSpan(text);
            return duration <= Longest;
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"\A(?<number>[0-9]{1,15}(\.[0-9]{1,9})?)(?<unit>ms|s|m|h|d)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Short();

    [GeneratedRegex(@"\AP(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Iso();
}
