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
    private readonly DueStore due;

    internal PumpLag(Database database, DueStore due) => (this.database, this.due) = (database, due);

    /// <summary>Asks the store; zero where nothing waits.</summary>
    public async Task<TimeSpan> AskAsync(CancellationToken cancel)
    {
        await using var batch = database.Source.CreateBatch();
        return await AskAsync(batch, null, cancel) ?? TimeSpan.Zero;
    }

    /// <summary>The same behind another statement, in one round trip with it; null where its result makes ours pointless.</summary>
    internal async Task<TimeSpan?> AskAsync(NpgsqlBatch batch, Func<NpgsqlDataReader, Task<bool>>? first, CancellationToken cancel)
    {
        var buckets = await due.AskAsync(batch, first, cancel);
        if (buckets.Count == 0)
            return null;
        var longest = buckets.Max(next => next < TimeSpan.Zero ? -next.Value : TimeSpan.Zero);
        Recorded.Record(longest.TotalSeconds);
        return longest;
    }
}
