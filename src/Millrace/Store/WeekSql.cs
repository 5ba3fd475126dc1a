using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Millrace.Store;

/// <summary>
/// A statement that looks instances up by id, in one text for each week. An id tells its week, so the text names that
/// week's partitions: the plan that a session keeps locks and opens those alone, where one of the whole table would go
/// through hundreds of them to leave all but one out.
/// </summary>
/// <param name="whole">The statement on the whole tables.</param>
internal sealed partial class WeekSql(string whole)
{
    // Ids come from callers, and not every week that they can name is worth a text of its own.
    private const int TextsKept = 1000;
    private readonly ConcurrentDictionary<DateTimeOffset, string> texts = new();

    /// <summary>The statement on the whole tables, right for any id.</summary>
    public string Whole => whole;

    /// <summary>The statement on the partitions of one week.</summary>
    /// <param name="monday">When the week begins.</param>
    public string In(DateTimeOffset monday)
    {
        if (texts.TryGetValue(monday, out var known))
            return known;
        var text = Partitioned().Replace(whole, match => $"millrace.{Partitions.Name(match.Groups[1].Value, monday)}");
        if (texts.Count < TextsKept)
            texts[monday] = text;
        return text;
    }

    /// <summary>The tables that are partitioned: see <see cref="Partitions.Tables"/>.</summary>
    [GeneratedRegex(@"\bmillrace\.(instance|node_execution|outcome)\b")]
    private static partial Regex Partitioned();
}
