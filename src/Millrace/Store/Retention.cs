using System.Globalization;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Lets go of weeks that are over. What has ended in such a week goes with its partitions, which costs next to nothing
/// however much it is; what still lives, having slept since, is carried over into new ones.
/// </summary>
internal static class Retention
{
    /// <summary>The weeks that have ended longer ago than a time, and hold anything that has ended.</summary>
    public static async Task<IReadOnlyList<DateTimeOffset>> DueAsync(NpgsqlConnection connection, TimeSpan age, CancellationToken cancel)
    {
        var limit = await Partitions.NowAsync(connection, cancel) - age;
        var due = new List<DateTimeOffset>();
        foreach (var week in await Partitions.WeeksAsync(connection, cancel))
        {
            if (week.AddDays(7) <= limit && await HasEndedAsync(connection, week, cancel))
                due.Add(week);
        }

        return due;
    }

    /// <summary>Lets a week go, in the transaction that the connection is in.</summary>
    public static async Task DropAsync(NpgsqlConnection connection, DateTimeOffset week, CancellationToken cancel)
    {
        var (from, to) = (InstanceId.LeastAt(week), InstanceId.LeastAt(week.AddDays(7)));
        // Whoever reads for long is not waited for, since everybody else would wait behind us: there is another time.
        await Migrator.ExecuteAsync(connection, "SET LOCAL lock_timeout = '2s'", cancel);
        foreach (var table in Partitions.Tables)
            await Migrator.ExecuteAsync(connection, $"ALTER TABLE millrace.{table} DETACH PARTITION millrace.{Partitions.Name(table, week)}", cancel);
        foreach (var table in Partitions.Tables)
        {
            var old = Partitions.Name(table, week);
            await Migrator.ExecuteAsync(connection, $"ALTER TABLE millrace.{old} RENAME TO {old}_old", cancel);
            await Partitions.CreateAsync(connection, table, week, cancel);
        }

        await Migrator.ExecuteAsync(connection, Carry("instance", "id", week), cancel, from, to);
        await Migrator.ExecuteAsync(connection, Carry("node_execution", "instance_id", week), cancel, from, to);
        foreach (var table in Partitions.Tables)
            await Migrator.ExecuteAsync(connection, $"DROP TABLE millrace.{Partitions.Name(table, week)}_old", cancel);
        foreach (var (table, column) in new[] { ("signal", "instance_id"), ("child", "parent_id"), ("child_end", "parent_id"), ("child_group", "parent_id") })
        {
            await Migrator.ExecuteAsync(connection, $"""
                DELETE FROM millrace.{table} AS gone
                WHERE {column} >= $1 AND {column} < $2 AND NOT EXISTS (SELECT FROM millrace.work WHERE work.id = gone.{column} AND work.bucket = gone.bucket)
                """, cancel, from, to);
        }
    }

    private static string Carry(string table, string column, DateTimeOffset week) => $"""
        INSERT INTO millrace.{table}
        SELECT old.*
        FROM millrace.work
        JOIN millrace.{Partitions.Name(table, week)}_old AS old ON old.{column} = work.id AND old.bucket = work.bucket AND old.organisation_id = work.organisation_id
        WHERE work.id >= $1 AND work.id < $2
        """;

    // Nothing but what lives is left of a week that was let go before.
    private static async Task<bool> HasEndedAsync(NpgsqlConnection connection, DateTimeOffset week, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(string.Create(CultureInfo.InvariantCulture, $"SELECT EXISTS (SELECT FROM millrace.{Partitions.Name("outcome", week)})"), connection);
        return await command.ExecuteScalarAsync(cancel) is true;
    }
}
