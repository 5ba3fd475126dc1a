using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>Makes partitions ahead, lets go of those that are over, and forgets idempotency keys whose time is over, once an hour.</summary>
internal sealed class Maintenance(Database database, IOptions<MillraceOptions> options, TimeProvider time, ILogger<Maintenance> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);
    private const int KeysAtOnce = 10_000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await Task.Delay(Every, time, stoppingToken);
            try
            {
                await RunAsync(stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                log.MaintenanceFailed(Every, e);
            }
        }
    }

    internal async Task RunAsync(CancellationToken cancel)
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

        if (options.Value.Store.Retention is { } age)
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
