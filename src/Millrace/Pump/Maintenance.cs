using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Makes partitions ahead, lets go of those that are over, forgets idempotency keys and receipts whose time is over, and
/// removes definitions, signals and children that nothing refers to any more.
/// However often and wherever it runs, it does what is due and nothing twice.
/// </summary>
public sealed class Maintenance
{
    private const int KeysAtOnce = 10_000;
    private const int Tries = 20;

    private readonly Database database;
    private readonly ReceiptCleaner receipts;
    private readonly TimeProvider time;
    private readonly Retention retention;
    private readonly Leftovers leftovers;
    private readonly Definitions definitions;
    private readonly MillraceOptions settings;
    private readonly ILogger<Maintenance> log;

    internal Maintenance(Database database, ReceiptCleaner receipts, TimeProvider time, IOptions<MillraceOptions> options, ILogger<Maintenance> log)
    {
        (this.database, this.receipts, this.time, settings, this.log) = (database, receipts, time, options.Value, log);
        (retention, leftovers, definitions) = (new(database, time, log), new(database), new(database));
    }

    /// <summary>Does all that is due: the store's own, then receipts in every database that SQL nodes write to.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var stop = new StopSource(time, cancel);
        await TendStoreAsync(stop.Token);
        await receipts.RunAsync(stop.Token);
    }

    internal async Task TendStoreAsync(CancellationToken cancel)
    {
        if (!await Partitions.TryCreateAsync(database.Source, Tries, time, cancel))
            log.PartitionsNotMade(MaintenanceLoop.Every);
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            while (await ForgetKeysAsync(bucket, cancel) == KeysAtOnce)
            {
                // A full batch means that there is more.
            }
        }

        if (settings.Store.Retention is { } age)
            await retention.RunAsync(age, cancel);
        if (await leftovers.ClearAsync(cancel) is > 0 and var cleared)
            log.LeftoversCleared(cleared);
        if (await definitions.ClearAsync(cancel) is > 0 and var removed)
            log.DefinitionsRemoved(removed);
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
