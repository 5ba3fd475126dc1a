using Millrace.Bench.Measures;
using Millrace.Bench.Report;

namespace Millrace.Bench;

/// <summary>What each goal is about, and what measures it.</summary>
internal sealed record Goal(string Id, string Description, Func<BenchContext, CancellationToken, Task<IReadOnlyList<Figure>>> MeasureAsync)
{
    /// <summary>All of them, in their order.</summary>
    public static readonly IReadOnlyList<Goal> All =
    [
        new("p1", "Single starts over 64 connections, beside a bare Kestrel with one INSERT for each.", Starts.MeasureAsync),
        new("p2", "Starts by the thousand, beside graphile-worker's bulk enqueue.", Batches.MeasureAsync),
        new("p3", "Drain of instances of one no-op node, beside graphile-worker and pg-boss.", Drains.MeasureAsync),
        new("p4", "One SQL node, started over HTTP and completed.", Statements.MeasureOneAsync),
        new("p5", "Five SQL nodes in sequence, reading and writing, beside five steps of DBOS.", Statements.MeasureFiveAsync),
        new("p6", "One instance at a time on an idle system, start to result.", Latency.MeasureSerialAsync),
        new("p7", "Closed-loop sweep over 1 to 128 callers; also drawn as p7.svg.", Latency.MeasureSweepAsync),
        new("p8", "Starts, delayed starts and lists that arrive at 4,000/s, with 250,000 instances there.", Mixed.MeasureAsync),
        new("p9", "P3, P4 and lists with 10 M ended and 1 M sleeping instances, beside an empty database.", History.MeasureAsync),
        new("p10", "A soak of ten minutes at 70 % of P4.", Soak.MeasureAsync),
        new("p11", "The connections that are opened in a steady state.", Connections.MeasureAsync),
        new("p12", "A claim with 50,000 instances in flight, beside one with none.", InFlight.MeasureAsync),
        new("p13", "Starts and their runs beside a transaction with an old snapshot.", OldSnapshot.MeasureAsync),
        new("p14", "A look-up and P3 with 200 weekly partitions, beside 6.", ManyWeeks.MeasureAsync),
    ];
}
