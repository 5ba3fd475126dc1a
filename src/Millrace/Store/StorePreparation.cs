using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;

namespace Millrace.Store;

/// <summary>Makes the store ready for this process: migrations, partitions, an organisation and a key.</summary>
public sealed class StorePreparation
{
    private readonly Database database;
    private readonly KeyStore keys;
    private readonly StoreClock clock;
    private readonly MillraceOptions settings;
    private readonly Migrator migrator;

    internal StorePreparation(Database database, KeyStore keys, StoreClock clock, IOptions<MillraceOptions> options, ILoggerFactory logs)
    {
        (this.database, this.keys, this.clock, settings) = (database, keys, clock, options.Value);
        migrator = new(database.Source, Migration.Embedded, logs.CreateLogger<Migrator>());
    }

    /// <summary>Makes the store ready.</summary>
    /// <returns>An API key if one was made up here; it is never to be had again.</returns>
    /// <exception cref="SchemaException">The schema is not one that this program can work with.</exception>
    public async Task<string?> PrepareAsync(CancellationToken cancel)
    {
        await clock.AskAsync(database, cancel);
        await migrator.ApplyAsync(database.Buckets, cancel);
        return await keys.EnsureAsync(settings.ApiKey, cancel);
    }
}
