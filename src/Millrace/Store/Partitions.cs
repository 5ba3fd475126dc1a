using System.Globalization;
using Npgsql;

namespace Millrace.Store;

/// <summary>Partitions by range of id, which are partitions by time: one a week, made ahead.</summary>
internal static class Partitions
{
    // How far ids may lag behind (a slow clock, a restored backup), and how long nobody has to make new partitions.
    private const int WeeksBefore = 1;
    private const int WeeksAhead = 4;

    private static readonly string[] Tables = ["instance", "node_execution", "outcome"];

    public static async Task CreateAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var now = await NowAsync(connection, cancel);
        var present = await PresentAsync(connection, cancel);
        foreach (var table in Tables)
        {
            for (var week = -WeeksBefore; week <= WeeksAhead; week++)
            {
                var monday = MondayOf(now).AddDays(7 * week);
                var name = $"{table}_{monday.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}";
                if (!present.Contains(name))
                {
                    await Migrator.ExecuteAsync(connection, $"""
                        CREATE TABLE IF NOT EXISTS millrace.{name} PARTITION OF millrace.{table}
                        FOR VALUES FROM ('{InstanceId.LeastAt(monday)}') TO ('{InstanceId.LeastAt(monday.AddDays(7))}')
                        """, cancel);
                }
            }
        }
    }

    private static async Task<DateTimeOffset> NowAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("SELECT now()", connection);
        return new((DateTime)(await command.ExecuteScalarAsync(cancel))!, TimeSpan.Zero);
    }

    private static async Task<HashSet<string>> PresentAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("""
            SELECT child.relname
            FROM pg_inherits
            JOIN pg_class AS child ON child.oid = inhrelid
            WHERE inhparent = ANY (ARRAY['millrace.instance', 'millrace.node_execution', 'millrace.outcome']::regclass[])
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancel))
            names.Add(reader.GetString(0));
        return names;
    }

    private static DateTimeOffset MondayOf(DateTimeOffset now)
    {
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        return day.AddDays(-(((int)day.DayOfWeek + 6) % 7));
    }
}
