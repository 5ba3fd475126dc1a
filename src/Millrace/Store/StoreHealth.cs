using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Npgsql;

namespace Millrace.Store;

/// <summary>Says why this process cannot serve, if it cannot.</summary>
public sealed class StoreHealth
{
    private readonly Database database;
    private readonly PumpLag pumpLag;
    private readonly PumpOptions settings;

    internal StoreHealth(Database database, PumpLag pumpLag, IOptions<MillraceOptions> options) =>
        (this.database, this.pumpLag, settings) = (database, pumpLag, options.Value.Pump);

    /// <summary>The reasons; empty where all is well.</summary>
    public async Task<IReadOnlyList<string>> ReasonsAsync(CancellationToken cancel)
    {
        try
        {
            var reasons = new List<string>();
            await using var connection = await database.Source.OpenConnectionAsync(cancel);
            var schema = await SchemaAsync(connection, cancel);
            if (schema != Migration.Embedded.Count)
                reasons.Add($"schema version: the store has {schema}, this build needs {Migration.Embedded.Count}");
            else if (await pumpLag.AskAsync(connection, cancel) is var lag && lag > settings.MaxLag)
                reasons.Add($"pump lag: the oldest ready instance has waited for {lag.TotalSeconds:0} s, more than {settings.MaxLag.TotalSeconds:0} s");
            return reasons;
        }
        catch (Exception e) when (StoreFaults.IsPassing(e) || e is PostgresException)
        {
            return ["database: the store does not answer"];
        }
    }

    private static async Task<int> SchemaAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("SELECT coalesce(max(number), 0) FROM millrace.migration", connection);
        return (int)(await command.ExecuteScalarAsync(cancel))!;
    }
}
