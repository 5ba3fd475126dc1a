using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Sizing;
using Npgsql;

namespace Millrace.Store;

/// <summary>Makes the store ready for this process: migrations, partitions, an organisation and a key.</summary>
public sealed class StorePreparation
{
    private readonly Database database;
    private readonly KeyStore keys;
    private readonly StoreClock clock;
    private readonly SizingCheck sizing;
    private readonly TimeProvider time;
    private readonly MillraceOptions settings;
    private readonly Migrator migrator;

    internal StorePreparation(
        Database database, KeyStore keys, StoreClock clock, SizingCheck sizing, TimeProvider time, IOptions<MillraceOptions> options, ILoggerFactory logs)
    {
        (this.database, this.keys, this.clock, this.sizing, this.time, settings) = (database, keys, clock, sizing, time, options.Value);
        migrator = new(database.Source, Migration.Embedded, logs.CreateLogger<Migrator>());
    }

    /// <summary>Makes the store ready. A database that is not there yet is waited for: in a container both often start together.</summary>
    /// <param name="announce">Takes a line each time that it does not answer.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>An API key if one was made up here; it is never to be had again.</returns>
    /// <exception cref="SchemaException">The schema is not one that this program can work with.</exception>
    /// <exception cref="SettingException">The pools could ask for more connections than the server has, or the database is not in UTF-8.</exception>
    public async Task<string?> PrepareAsync(Action<string> announce, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await clock.AskAsync(database, cancel);
                await RefuseOtherEncodingsAsync(cancel);
                await sizing.RunAsync(cancel);
                await migrator.ApplyAsync(database.Buckets, cancel);
                return await keys.EnsureAsync(settings.ApiKey, cancel);
            }
            catch (Exception e) when (StoreFaults.IsPassing(e))
            {
                announce(e is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable }
                    ? "The schema cannot be brought up to date while somebody has the store's tables in use for long (a dump, a report, an open transaction); trying again …"
                    : $"The database does not answer ({e.Message}); trying again …");
                await Task.Delay(TimeSpan.FromSeconds(Math.Min(attempt, 5)), time, cancel);
            }
        }
    }

    // JSON is UTF-8. A database in another encoding refuses a value now and then, when it is too late to say so to anybody.
    private async Task RefuseOtherEncodingsAsync(CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("SELECT current_setting('server_encoding')");
        if (await command.ExecuteScalarAsync(cancel) is not "UTF8" and var encoding)
        {
            throw new SettingException(
                "Millrace:ConnectionString", $"leads to a database whose encoding is {encoding}: the store needs UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)");
        }
    }
}
