using Millrace.Bench.Load;
using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P8: a mix of calls that come at their own pace, with many instances there already.</summary>
internal static class Mixed
{
    private const double Rate = 4000;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var present = bench.Settings.Size(250_000);
        List<double> rates = [], slow = [], successes = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.NoOp, cancel))
        {
            bench.Say($"P8: {present:N0} instances come first");
            var begin = await server.NowAsync(cancel);
            await server.StartManyAsync(present, Workloads.Start, cancel);
            await server.DrainedAsync(begin, present, cancel);
            Shape[] mix =
            [
                Workloads.StartShape with { Weight = 70 },
                new(15, "POST", BenchServer.Instances, Workloads.Start[..^1] + ""","delay":"PT1H"}"""),
                new(15, "GET", $"{BenchServer.Instances}?limit=20"),
            ];
            // Lists have not been asked for yet: their code is compiled, and their pages are fetched, before it counts.
            await server.LoadAsync(256, 5, cancel, rate: Rate / 2, shapes: mix);
            await Workloads.IdleAsync(server, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                var load = await server.LoadAsync(256, bench.Settings.Seconds(60), cancel, rate: Rate, shapes: mix);
                rates.Add(load.PerSecond);
                slow.Add(load.P95);
                successes.Add(100.0 * (load.Requests - load.Failures) / load.Requests);
                bench.Say($"P8 run {run}: {Format.Number(load.PerSecond)}/s, p95 {Format.Number(load.P95)} ms, {load.Failures} failures");
                await Workloads.IdleAsync(server, cancel);
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        return
        [
            // The last requests are answered a moment after the time is up, so the mean is a little below the rate they were sent at.
            Figure.AtLeast("P8", "70 % start, 15 % delayed start, 15 % list, 4,000/s offered, 250,000 instances there", "/s", rates, 0.99 * Rate),
            Figure.AtLeast("P8", "the same, answered with success", " %", successes, 100),
            Figure.AtMost("P8", "the same, p95", " ms", slow, 250),
        ];
    }
}
