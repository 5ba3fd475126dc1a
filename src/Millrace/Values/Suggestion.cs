namespace Millrace.Values;

/// <summary>"Did you mean": the known word nearest to an unknown one.</summary>
internal static class Suggestion
{
    /// <summary>A half sentence that begins with a blank, or nothing if no word is near.</summary>
    public static string For(string unknown, IEnumerable<string> known)
    {
        if (unknown.Length > 64)
            return "";

        var (nearest, distance) = known
            .Select(word => (word, Distance(unknown.ToLowerInvariant(), word.ToLowerInvariant())))
            .DefaultIfEmpty(("", int.MaxValue))
            .MinBy(pair => pair.Item2);
        return distance <= Math.Max(2, nearest.Length / 3) ? $" Did you mean \"{nearest}\"?" : "";
    }

    // Levenshtein's distance with adjacent swaps counted once (optimal string alignment), two rows back.
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            rows[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            rows[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                rows[i, j] = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }

        return rows[a.Length, b.Length];
    }
}
