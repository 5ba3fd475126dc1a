using Microsoft.Extensions.Logging;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Lets go of weeks that are over, without anybody waiting for it. What is done to a week depends on what still lives of it:
/// <list type="bullet">
/// <item>Nothing: its partitions go, which costs next to nothing however much they hold.</item>
/// <item>A little: that is carried over to the partitions that hold what is left of the weeks before, which grow by this
/// week, and its own go.</item>
/// <item>More than that: it stays, and what has ended in it is deleted a few hundred instances at a time, with pauses. When
/// less of it lives, it goes like the others.</item>
/// </list>
/// Partitions are changed by one short statement that gives up after a tenth of a second, and is tried again later: whatever
/// it waits for, nobody waits for longer behind it. Each step is a transaction that leaves everything in order, so it may be
/// cut off anywhere, and two processes may do this at once.
/// </summary>
internal sealed class Retention(Database database, TimeProvider time, ILogger log)
{
    private const int MostRowsCarried = 5_000;
    private const long MostBytesCarried = 4 << 20;

    // Attaching a partition reads it.
    private const long LargestHolder = 16 << 20;
    private const int EndedAtOnce = 500;
    private const int Tries = 40;
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);

    /// <summary>Lets go of what is older than an age.</summary>
    public async Task RunAsync(TimeSpan age, CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        var now = await Partitions.NowAsync(connection, cancel);
        var limit = InstanceId.LeastAt(now - age < Partitions.OldestMade(now) ? now - age : Partitions.OldestMade(now));
        foreach (var span in (await Partitions.SpansAsync(connection, cancel)).Where(span => span.To <= limit))
        {
            if (await LetGoAsync(connection, span, cancel))
                log.WeekLetGo(span.Suffix, age);
        }
    }

    // Whether its partitions are gone.
    private async Task<bool> LetGoAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        var mostCarried = RetentionSql.MostCarried;
        for (var attempt = 1; attempt <= Tries; attempt++)
        {
            try
            {
                var living = await LivingAsync(connection, span, cancel);
                if (living == 0)
                    await AlterAsync(connection, RetentionSql.Drop(span), cancel);
                else if (!span.IsHolder && living <= mostCarried && await IsLittleAsync(connection, span, cancel))
                    await CarryAsync(connection, span, cancel);
                else
                    return await ThinAsync(connection, span, cancel);
                return true;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DeadlockDetected or RetentionSql.LivesAfterAll)
            {
                // Somebody reads for long, or the machine is busy. Those who had to wait go first, and what could not be
                // carried in time may be too much.
                mostCarried = e.SqlState == PostgresErrorCodes.QueryCanceled ? mostCarried / 2 : mostCarried;
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(100 * attempt, 2_000)), time, cancel);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
            {
                // Another process has just let it go.
                return false;
            }
        }

        log.WeekInUse(span.Suffix, Tries);
        return false;
    }

    private static async Task<int> LivingAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(
            "SELECT count(*)::integer FROM (SELECT FROM millrace.work WHERE id >= $1 AND id < $2 LIMIT $3) AS living", connection);
        AddRange(command, span);
        command.Parameters.Add(Columns.Value(RetentionSql.MostCarried + 1));
        return (int)(await command.ExecuteScalarAsync(cancel))!;
    }

    // Reading it also brings it into memory, so that carrying it does not wait for the disk.
    private static async Task<bool> IsLittleAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"""
            SELECT count(*) <= {MostRowsCarried} AND coalesce(sum(bytes), 0) <= {MostBytesCarried}
            FROM (
                SELECT pg_column_size(old.*) AS bytes {RetentionSql.Living("node_execution", "instance_id", span)}
                UNION ALL
                SELECT pg_column_size(old.*) {RetentionSql.Living("instance", "id", span)}
                LIMIT {MostRowsCarried + 1}
            ) AS row
            """, connection);
        return await command.ExecuteScalarAsync(cancel) is true;
    }

    private static async Task CarryAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        // Between the two there is nothing: weeks of which nothing lived are gone.
        var before = (await Partitions.SpansAsync(connection, cancel)).LastOrDefault(other => other.To <= span.From);
        if (before is { IsHolder: true } && await SizeAsync(connection, before, cancel) <= LargestHolder)
        {
            await AlterAsync(connection, RetentionSql.Carry(span, before, detach: true), cancel);
            return;
        }

        await PrepareAsync(connection, span.AsHolder(), cancel);
        await AlterAsync(connection, RetentionSql.Carry(span, span.AsHolder(), detach: false), cancel);
    }

    // Tables with their indexes take longer to make than anybody should wait, so they are made first and attached then.
    private static async Task PrepareAsync(NpgsqlConnection connection, PartitionSpan holder, CancellationToken cancel)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);
        if ((await Partitions.SpansAsync(connection, cancel)).Any(span => span.Suffix == holder.Suffix))
            return;
        foreach (var table in Partitions.Tables)
        {
            await Migrator.ExecuteAsync(connection, $"DROP TABLE IF EXISTS {holder.Name(table)}", cancel);
            await Migrator.ExecuteAsync(connection, $"CREATE TABLE {holder.Name(table)} (LIKE millrace.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)", cancel);
        }

        await transaction.CommitAsync(cancel);
    }

    // One statement, so that its limit is one for all of it: how long it may wait and work together.
    private static async Task AlterAsync(NpgsqlConnection connection, string statements, CancellationToken cancel)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);
        await Migrator.ExecuteAsync(connection, "SET LOCAL lock_timeout = '50ms'", cancel);
        await Migrator.ExecuteAsync(connection, "SET LOCAL statement_timeout = '100ms'", cancel);
        await Migrator.ExecuteAsync(connection, $"DO $do$ BEGIN {statements} END $do$", cancel);
        await transaction.CommitAsync(cancel);
    }

    private static async Task<long> SizeAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT {string.Join(" + ", Partitions.Tables.Select(table => $"pg_table_size('{span.Name(table)}')"))}", connection);
        return (long)(await command.ExecuteScalarAsync(cancel))!;
    }

    // Deletes what has ended, and says that the partitions are still there.
    private async Task<bool> ThinAsync(NpgsqlConnection connection, PartitionSpan span, CancellationToken cancel)
    {
        var (deleted, reported) = (0L, time.GetTimestamp());
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            var last = (Organisation: Guid.Empty, Id: Guid.Empty);
            while (true)
            {
                var began = time.GetTimestamp();
                if (await ThinAsync(connection, span, bucket, last, cancel) is not { } batch)
                    break;
                (last, deleted) = ((batch.Organisation, batch.Id), deleted + batch.Count);
                if (time.GetElapsedTime(reported) > ReportEvery)
                {
                    log.WeekThinned(span.Suffix, deleted);
                    reported = time.GetTimestamp();
                }

                // As long as it took: others have the store for half of the time at the least.
                await Task.Delay(time.GetElapsedTime(began), time, cancel);
            }
        }

        if (deleted > 0)
            log.WeekThinned(span.Suffix, deleted);
        return false;
    }

    private static async Task<(Guid Organisation, Guid Id, long Count)?> ThinAsync(
        NpgsqlConnection connection, PartitionSpan span, short bucket, (Guid Organisation, Guid Id) last, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(RetentionSql.Thin(span), connection) { CommandTimeout = 0 };
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(last.Organisation));
        command.Parameters.Add(Columns.Value(last.Id));
        command.Parameters.Add(Columns.Value(EndedAtOnce));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? (reader.GetGuid(0), reader.GetGuid(1), reader.GetInt64(2)) : null;
    }

    private static void AddRange(NpgsqlCommand command, PartitionSpan span)
    {
        command.Parameters.Add(Columns.Value(span.From));
        command.Parameters.Add(Columns.Value(span.To));
    }
}
