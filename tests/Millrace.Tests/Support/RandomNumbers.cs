namespace Millrace.Tests.Support;

/// <summary>Numbers for random workflows, in order: the spellings in a line are of one and the same number.</summary>
internal static class RandomNumbers
{
    private static readonly string[][] Ordered =
    [
        ["-1e99999999999999999999"],
        ["-12345678901234567890.12345678901234567890123456789"],
        ["0", "-0", "0.000", "0e99999999999999999999", "-0E-1"],
        ["1e-2147483649", "10e-2147483650"],
        ["1", "1.0", "10e-1", "0.1E1"],
        ["2", "2.00"],
        ["3"],
        ["9007199254740992", "9007199254740992.0"],
        ["9007199254740993"],
        ["12345678901234567890.123456789012345678901234567890", "12345678901234567890.12345678901234567890123456789"],
        ["12345678901234567890.123456789012345678901234567891"],
        ["1e2147483648", "10e2147483647"],
        ["1e99999999999999999999", "0.1e100000000000000000000"],
    ];

    private static readonly Dictionary<string, int> Ranks =
        Ordered.SelectMany((spellings, rank) => spellings.Select(spelling => (spelling, rank))).ToDictionary(item => item.spelling, item => item.rank);

    /// <summary>A number's place among the others; null for one that is not among them.</summary>
    public static int? RankOf(string text) => Ranks.TryGetValue(text, out var rank) ? rank : null;

    public static bool IsZero(string text) => RankOf(text) == Ranks["0"];

    public static string Any(Random random) =>
        random.Next(2) == 0 ? random.Next(3).ToString(System.Globalization.CultureInfo.InvariantCulture)
        : Ordered[random.Next(Ordered.Length)] is var spellings ? spellings[random.Next(spellings.Length)] : "0";
}
