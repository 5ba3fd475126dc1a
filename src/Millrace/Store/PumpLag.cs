using System.Diagnostics.Metrics;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// How long the instance that could have been claimed first has been waiting for that: whether pumps keep up, and whether
/// there are any. Each answer is also recorded as <c>millrace.pump.lag</c>, in seconds, of the meter <c>Millrace</c>.
/// </summary>
public sealed class PumpLag
{
    /// <summary>The name of the meter.</summary>
    public const string MeterName = "Millrace";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Gauge<double> Recorded = Meter.CreateGauge<double>("millrace.pump.lag", "s", "How long the oldest ready instance has been waiting to be claimed.");
    private readonly Database database;

    internal PumpLag(Database database) => this.database = database;

    /// <summary>Asks the store; zero where nothing waits.</summary>
    public async Task<TimeSpan> AskAsync(CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        return await AskAsync(connection, cancel);
    }

    internal async Task<TimeSpan> AskAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var longest = 0.0;
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            await using var command = new NpgsqlCommand(SqlText.NextDue, connection);
            command.Parameters.Add(Columns.Value(bucket));
            if (await command.ExecuteScalarAsync(cancel) is double seconds)
                longest = Math.Max(longest, -seconds);
        }

        Recorded.Record(longest);
        return TimeSpan.FromSeconds(longest);
    }
}
