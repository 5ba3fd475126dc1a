using System.Collections.Frozen;
using System.Globalization;

namespace Millrace.Chaos.Kinds;

/// <summary>
/// How often each effect must be there, by its name: <c>turn*4 done maybe?</c> is four times, once, and at most once (for
/// what may be given up midway).
/// </summary>
internal sealed class EffectCounts
{
    public static readonly EffectCounts None = new("");

    private readonly FrozenDictionary<string, (int Least, int Most)> counts;

    private EffectCounts(string text) => counts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToFrozenDictionary(
        item => item.Split('*')[0].TrimEnd('?'),
        item => item.EndsWith('?') ? (0, 1) : item.Split('*') is [_, var times] ? Exactly(int.Parse(times, CultureInfo.InvariantCulture)) : Exactly(1));

    public static EffectCounts Of(string text) => new(text);

    /// <summary>How many there are when all is done, at least.</summary>
    public int Least => counts.Values.Sum(count => count.Least);

    /// <summary>The names of which there are too few or too many, those that nobody asked for included.</summary>
    public IEnumerable<(string Name, int Count, string Expected)> Wrong(IReadOnlyDictionary<string, int> found)
    {
        foreach (var name in counts.Keys.Union(found.Keys))
        {
            var (least, most) = counts.GetValueOrDefault(name);
            var count = found.GetValueOrDefault(name);
            if (count < least || count > most)
                yield return (name, count, least == most ? $"{least}" : $"{least} to {most}");
        }
    }

    private static (int, int) Exactly(int times) => (times, times);
}
