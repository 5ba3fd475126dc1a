using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Makes partitions ahead, lets go of those that are over, and forgets idempotency keys and receipts whose time is over.
/// However often and wherever it runs, it does what is due and nothing twice.
/// </summary>
public sealed class Maintenance
{
    private const int KeysAtOnce = 10_000;

    private readonly Database database;
    private readonly ReceiptCleaner receipts;
    private readonly MillraceOptions settings;
    private readonly ILogger<Maintenance> log;

    internal Maintenance(Database database, ReceiptCleaner receipts, IOptions<MillraceOptions> options, ILogger<Maintenance> log) =>
        (this.database, this.receipts, settings, this.log) = (database, receipts, options.Value, log);

    /// <summary>Does all that is due: the store's own, then receipts in every database that SQL nodes write to.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        await TendStoreAsync(cancel);
        await receipts.RunAsync(cancel);
    }

    internal async Task TendStoreAsync(CancellationToken cancel)
    {
        await using (var connection = await database.Source.OpenConnectionAsync(cancel))
        await using (var transaction = await connection.BeginTransactionAsync(cancel))
        {
            await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);
            await Partitions.CreateAsync(connection, cancel);
            await transaction.CommitAsync(cancel);
        }

        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            while (await ForgetKeysAsync(bucket, cancel) == KeysAtOnce)
            {
                // A full batch means that there is more.
            }
        }

        if (settings.Store.Retention is { } age)
            await LetGoAsync(age, cancel);
    }

    private async Task LetGoAsync(TimeSpan age, CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        foreach (var week in await Retention.DueAsync(connection, age, cancel))
        {
            // One that another process has just let go has nothing in it that has ended.
            await using var transaction = await connection.BeginTransactionAsync(cancel);
            await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);
            if (!(await Retention.DueAsync(connection, age, cancel)).Contains(week))
                continue;
            await Retention.DropAsync(connection, week, cancel);
            await transaction.CommitAsync(cancel);
            log.WeekLetGo(week, age);
        }
    }

    private async Task<int> ForgetKeysAsync(short bucket, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            WITH expired AS (
                SELECT organisation_id, key
                FROM millrace.idempotency_key
                WHERE bucket = $1 AND expires_at < now()
                ORDER BY expires_at
                LIMIT $2
                FOR UPDATE SKIP LOCKED
            )
            DELETE FROM millrace.idempotency_key AS held
            USING expired
            WHERE held.bucket = $1 AND held.organisation_id = expired.organisation_id AND held.key = expired.key
            """);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(KeysAtOnce));
        return await command.ExecuteNonQueryAsync(cancel);
    }
}
