using System.Globalization;
using Npgsql;

namespace Millrace.Store;

/// <summary>Partitions by range of id, which are partitions by time: one a week, made ahead.</summary>
internal static class Partitions
{
    // How far ids may lag behind (a slow clock, a restored backup), and how long nobody has to make new partitions.
    private const int WeeksBefore = 1;
    private const int WeeksAhead = 4;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(500);

    /// <summary>The tables that are partitioned, all by the same weeks.</summary>
    public static readonly IReadOnlyList<string> Tables = ["instance", "node_execution", "outcome"];

    /// <summary>
    /// Makes what is missing, and has nobody wait for it: a new partition locks its table, so whoever reads for long, as a
    /// dump does, is not waited for, since everybody else would wait behind us. They are made weeks ahead, so it may well be
    /// another time.
    /// </summary>
    /// <returns>Whether nothing is missing any more.</returns>
    public static async Task<bool> TryCreateAsync(NpgsqlDataSource source, int tries, TimeProvider time, CancellationToken cancel)
    {
        for (var attempt = 1; attempt <= tries; attempt++)
        {
            try
            {
                await CreateAsync(source, "SET LOCAL lock_timeout = '50ms'", cancel);
                return true;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
            {
                await Task.Delay(BetweenTries, time, cancel);
            }
        }

        return false;
    }

    /// <summary>Makes what is missing; what is needed today is waited for, the rest may be made another time.</summary>
    public static async Task EnsureAsync(NpgsqlDataSource source, CancellationToken cancel)
    {
        if (await TryCreateAsync(source, tries: 3, TimeProvider.System, cancel))
            return;
        await using (var connection = await source.OpenConnectionAsync(cancel))
        {
            var present = await PresentAsync(connection, cancel);
            var monday = MondayOf(await NowAsync(connection, cancel));
            if (Tables.All(table => present.Contains(Name(table, monday))))
                return;
        }

        await CreateAsync(source, "SET LOCAL lock_timeout = 0", cancel);
    }

    private static async Task CreateAsync(NpgsqlDataSource source, string limit, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);
        await Migrator.ExecuteAsync(connection, limit, cancel);
        await CreateAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>Makes what is missing of this week's partitions, the one's before and those of the next weeks.</summary>
    public static async Task CreateAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var now = await NowAsync(connection, cancel);
        var present = await PresentAsync(connection, cancel);
        foreach (var table in Tables)
        {
            for (var week = -WeeksBefore; week <= WeeksAhead; week++)
            {
                var monday = MondayOf(now).AddDays(7 * week);
                if (!present.Contains(Name(table, monday)))
                    await CreateAsync(connection, table, monday, cancel);
            }
        }
    }

    /// <summary>The first week that would be made if it were missing: nothing from then on is let go.</summary>
    public static DateTimeOffset OldestMade(DateTimeOffset now) => MondayOf(now).AddDays(-7 * WeeksBefore);

    /// <summary>Makes the partition of one table for one week.</summary>
    public static Task CreateAsync(NpgsqlConnection connection, string table, DateTimeOffset monday, CancellationToken cancel) =>
        Migrator.ExecuteAsync(connection, $"""
            CREATE TABLE IF NOT EXISTS millrace.{Name(table, monday)} PARTITION OF millrace.{table}
            FOR VALUES FROM ('{InstanceId.LeastAt(monday)}') TO ('{InstanceId.LeastAt(monday.AddDays(7))}')
            """, cancel);

    /// <summary>The name of a partition.</summary>
    public static string Name(string table, DateTimeOffset monday) => string.Create(CultureInfo.InvariantCulture, $"{table}_{monday:yyyyMMdd}");

    /// <summary>What of the time there are partitions for, the oldest first.</summary>
    public static async Task<IReadOnlyList<PartitionSpan>> SpansAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        const string prefix = "outcome_";
        await using var command = new NpgsqlCommand("""
            SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
            FROM pg_inherits
            JOIN pg_class AS child ON child.oid = inhrelid
            WHERE inhparent = 'millrace.outcome'::regclass
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var spans = new List<PartitionSpan>();
        while (await reader.ReadAsync(cancel))
        {
            // FOR VALUES FROM ('…') TO ('…')
            var bounds = reader.GetString(1).Split('\'');
            if (bounds.Length == 5)
                spans.Add(new(reader.GetString(0)[prefix.Length..], Guid.Parse(bounds[1]), Guid.Parse(bounds[3])));
        }

        return [.. spans.OrderBy(span => span.From)];
    }

    /// <summary>The store's time.</summary>
    public static async Task<DateTimeOffset> NowAsync(NpgsqlConnection connection, CancellationToken cancel)
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

    /// <summary>The beginning of the week that a time is in, by UTC.</summary>
    public static DateTimeOffset MondayOf(DateTimeOffset now)
    {
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        return day.AddDays(-(((int)day.DayOfWeek + 6) % 7));
    }
}

/// <summary>A range of ids, and so of time, that each partitioned table has a partition for.</summary>
/// <param name="Suffix">What the names of its partitions end with, after the table's and an underscore.</param>
/// <param name="From">Its first id.</param>
/// <param name="To">The first id after it.</param>
internal sealed record PartitionSpan(string Suffix, Guid From, Guid To)
{
    private const string Holder = "old";

    /// <summary>Whether it holds what still lives of weeks that were let go. Earlier versions leave what is not named by a date alone.</summary>
    public bool IsHolder => Suffix.StartsWith(Holder, StringComparison.Ordinal);

    /// <summary>Where what lives of this week goes if the time before it has no such span.</summary>
    public PartitionSpan AsHolder() => this with { Suffix = Holder + Suffix };

    /// <summary>Its partition of a table.</summary>
    public string Name(string table) => $"millrace.{table}_{Suffix}";
}
