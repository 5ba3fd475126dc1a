using System.Data;
using Millrace.Bench.Report;
using Npgsql;

namespace Millrace.Bench.Measures;

/// <summary>P13: starts and their runs beside a transaction that keeps an old snapshot, as a dump or a long report does.</summary>
internal static class OldSnapshot
{
    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        List<double> without = [], first = [], last = [];
        for (var run = 1; run <= bench.Settings.Runs; run++)
        {
            var database = await bench.CreateDatabaseAsync(cancel);
            await using (var server = await Workloads.WarmServerAsync(database, Workloads.NoOp, cancel))
            {
                without.Add(await RateAsync(bench, server, cancel));
                await using var report = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database) { Pooling = false }.ConnectionString);
                await report.OpenAsync(cancel);
                await using var transaction = await report.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
                await using (var snapshot = new NpgsqlCommand("SELECT count(*) FROM millrace.organisation", report))
                    await snapshot.ExecuteScalarAsync(cancel);
                first.Add(await RateAsync(bench, server, cancel));
                await RateAsync(bench, server, cancel);
                last.Add(await RateAsync(bench, server, cancel));
                bench.Say($"P13 run {run}: {Format.Number(without[^1])}/s; beside an old snapshot {Format.Number(first[^1])}/s at first, {Format.Number(last[^1])}/s in the end");
            }

            await bench.DropDatabaseAsync(database, cancel);
        }

        return
        [
            Figure.AtLeastTimes("P13", "started and completed beside an old snapshot, in the end", "/s", last, 0.7, new("without it", without)),
            Figure.AtLeastTimes("P13", "the same, the last third", "/s", last, 0.9, new("the first third", first)),
        ];
    }

    // The same number each time, so that what it leaves behind is the same, too.
    private static Task<double> RateAsync(BenchContext bench, BenchServer server, CancellationToken cancel) =>
        Workloads.StartAndRunAsync(server, bench.Settings.Size(60_000), cancel);
}
