using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P2: starts a thousand at a time, beside graphile-worker's bulk enqueue.</summary>
internal static class Batches
{
    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var count = bench.Settings.Size(100_000);
        List<double> ours = [], theirs = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        var peer = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await BenchContext.StartServerAsync(database, cancel, ("Millrace__Pump__Enabled", "false")))
        {
            await server.StoreWorkflowAsync("bench", Workloads.NoOp, cancel);
            await server.StartManyAsync(30_000, Workloads.Start, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                if (bench.Peers is { } peers)
                    theirs.Add((await peers.RunAsync("graphile-worker", "enqueue", peer, count, cancel)).PerSecond);
                ours.Add(count / await server.StartManyAsync(count, Workloads.Start, cancel));
                bench.Say($"P2 run {run}: {Format.Number(ours[^1])}/s{(theirs.Count > 0 ? $"; graphile-worker {Format.Number(theirs[^1])}/s" : "")}");
            }
        }

        await bench.DropDatabaseAsync(peer, cancel);
        await bench.DropDatabaseAsync(database, cancel);
        return [Figure.AtLeastTimes("P2", "`POST /instances/batch` by 1,000", "/s", ours, 1, theirs.Count == 0 ? null : new("graphile-worker, bulk enqueue", theirs))];
    }
}
