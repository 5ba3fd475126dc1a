using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Npgsql;

namespace Millrace.Store;

/// <summary>Says why this process cannot serve, if it cannot.</summary>
public sealed class StoreHealth(Database database, IOptions<MillraceOptions> options)
{
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
            else if (await LagAsync(connection, cancel) is { } lag && lag > options.Value.Pump.MaxLag)
                reasons.Add($"pump lag: the oldest ready instance has waited for {lag.TotalSeconds:0} s, more than {options.Value.Pump.MaxLag.TotalSeconds:0} s");
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

    // How long the instance that could have been claimed first has been waiting for that.
    private async Task<TimeSpan?> LagAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        TimeSpan? longest = null;
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            await using var command = new NpgsqlCommand(SqlText.NextDue, connection);
            command.Parameters.Add(Columns.Value(bucket));
            if (await command.ExecuteScalarAsync(cancel) is double and < 0 and var seconds && !(longest?.TotalSeconds > -seconds))
                longest = TimeSpan.FromSeconds(-seconds);
        }

        return longest;
    }
}
