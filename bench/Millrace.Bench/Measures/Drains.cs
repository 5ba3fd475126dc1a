using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P3: instances of one node that does nothing, all ready at once, beside graphile-worker and pg-boss.</summary>
internal static class Drains
{
    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var count = bench.Settings.Size(60_000);
        List<double> ours = [], graphile = [], boss = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        var peer = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.NoOp, cancel))
        {
            await Workloads.DrainAsync(server, 20_000, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                if (bench.Peers is { } peers)
                {
                    graphile.Add((await peers.RunAsync("graphile-worker", "drain", peer, count, cancel)).PerSecond);
                    boss.Add((await peers.RunAsync("pg-boss", "drain", peer, bench.Settings.Size(20_000), cancel)).PerSecond);
                }

                ours.Add(await Workloads.DrainAsync(server, count, cancel));
                bench.Say($"P3 run {run}: {Format.Number(ours[^1])}/s{(boss.Count > 0 ? $"; graphile-worker {Format.Number(graphile[^1])}/s, pg-boss {Format.Number(boss[^1])}/s" : "")}");
            }
        }

        await bench.DropDatabaseAsync(peer, cancel);
        await bench.DropDatabaseAsync(database, cancel);
        return
        [
            Figure.AtLeastTimes("P3", "drain of one-node no-op instances", "/s", ours, 1, graphile.Count == 0 ? null : new("graphile-worker, batched", graphile)),
            Figure.AtLeastTimes("P3", "the same", "/s", ours, 4, boss.Count == 0 ? null : new("pg-boss, by 500", boss)),
        ];
    }
}
