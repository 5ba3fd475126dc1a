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
        var schema = Migration.Embedded.Count;
        try
        {
            await using var batch = database.Source.CreateBatch();
            batch.BatchCommands.Add(new("SELECT coalesce(max(number), 0) FROM millrace.migration"));
            var lag = await pumpLag.AskAsync(batch, async reader =>
            {
                await reader.ReadAsync(cancel);
                schema = reader.GetInt32(0);
                return schema >= Migration.Embedded.Count;
            }, cancel);
            if (lag > settings.MaxLag)
                return [$"pump lag: the oldest ready instance has waited for {lag.Value.TotalSeconds:0} s, more than {settings.MaxLag.TotalSeconds:0} s"];
        }
        catch (PostgresException) when (schema != Migration.Embedded.Count)
        {
            // On another schema the other statements need not work.
            return [OtherSchema(schema)];
        }
        catch (Exception e) when (StoreFaults.IsPassing(e) || e is PostgresException)
        {
            return ["database: the store does not answer"];
        }

        // While a newer version is put in its place, this one goes on.
        return schema >= Migration.Embedded.Count ? [] : [OtherSchema(schema)];
    }

    private static string OtherSchema(int schema) => $"schema version: the store has {schema}, this build needs {Migration.Embedded.Count}";
}
