using System.Text.RegularExpressions;

namespace Millrace.Store;

/// <summary>The tables of a store.</summary>
public static partial class StoreTables
{
    /// <summary>Their names in the schema <c>millrace</c>, as the migrations make them; partitions have those of their tables, and a date.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "migration", "bucket_count",
        .. Migration.Embedded.SelectMany(migration => Made().Matches(migration.Sql)).Select(made => made.Groups[1].Value).Distinct(),
    ];

    [GeneratedRegex(@"CREATE TABLE (?:IF NOT EXISTS )?millrace\.(\w+)")]
    private static partial Regex Made();
}
