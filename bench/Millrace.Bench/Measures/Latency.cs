using Millrace.Bench.Load;
using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P6: one instance at a time on an idle system. P7: more and more at a time, each caller waiting for its result.</summary>
internal static class Latency
{
    private static readonly int[] Sweep = [1, 2, 4, 8, 16, 32, 64, 128];

    private static Shape Ask => new(1, "POST", BenchServer.Instances, Workloads.Start);

    public static async Task<IReadOnlyList<Figure>> MeasureSerialAsync(BenchContext bench, CancellationToken cancel)
    {
        List<double> middle = [], slowest = [], idle = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            await server.LoadAsync(1, 0, cancel, requests: 500, wait: 10, shapes: Ask);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                var load = await server.LoadAsync(1, 0, cancel, requests: bench.Settings.Size(2000), wait: 10, shapes: Ask);
                Starts.Require(load);
                middle.Add(load.P50);
                slowest.Add(load.P99);
                await Task.Delay(TimeSpan.FromSeconds(2), cancel);
                var used = server.ProcessorTime();
                await Task.Delay(TimeSpan.FromSeconds(bench.Settings.Seconds(15)), cancel);
                idle.Add(100 * (server.ProcessorTime() - used).TotalSeconds / bench.Settings.Seconds(15));
                bench.Say($"P6 run {run}: idle {Format.Number(idle[^1])} % of a core; p50 {Format.Number(load.P50)} ms, p99 {Format.Number(load.P99)} ms");
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        return
        [
            Figure.AtMost("P6", "one `select 1` instance at a time, start to result, p50", " ms", middle, 5),
            Figure.AtMost("P6", "the same, p99", " ms", slowest, 20),
            Figure.AtMost("P6", "what an idle server takes of one core", " %", idle, 1),
        ];
    }

    public static async Task<IReadOnlyList<Figure>> MeasureSweepAsync(BenchContext bench, CancellationToken cancel)
    {
        var points = Sweep.ToDictionary(atOnce => atOnce, _ => new List<Outcome>());
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            await server.LoadAsync(16, 3, cancel, wait: 10, shapes: Ask);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                foreach (var atOnce in Sweep)
                {
                    var load = await server.LoadAsync(atOnce, bench.Settings.Seconds(5), cancel, wait: 10, shapes: Ask);
                    Starts.Require(load);
                    points[atOnce].Add(load);
                    bench.Say($"P7 run {run}: {atOnce} at once: {Format.Number(load.PerSecond)}/s, p50 {Format.Number(load.P50)} ms, p99 {Format.Number(load.P99)} ms");
                }
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        await SweepChart.WriteAsync(bench.Settings.Folder, Sweep, points, cancel);
        var rates = Sweep.Select(atOnce => Figure.MedianOf([.. points[atOnce].Select(load => load.PerSecond)])).ToList();
        var steps = rates.Zip(rates.Skip(1), (before, after) => after / before).ToList();
        return
        [
            .. Sweep.Select(atOnce => new Figure("P7", $"{atOnce} at once", "/s", [.. points[atOnce].Select(load => load.PerSecond)])),
            // Two runs of the same thing differ by more than a twentieth here: that much is not called a fall.
            new("P7", "throughput of each step of the sweep by the one before, the least", "", [steps.Min()]) { Goal = "≥ 0.95", Met = steps.Min() >= 0.95 },
            Figure.AtMost("P7", "p50 at 8 by p50 at 4", "", [.. points[8].Zip(points[4], (eight, four) => eight.P50 / four.P50)], 2.5),
        ];
    }
}
