using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P4: one statement, started over HTTP and completed. P5: five statements in sequence, beside five steps of DBOS.</summary>
internal static class Statements
{
    public static async Task<IReadOnlyList<Figure>> MeasureOneAsync(BenchContext bench, CancellationToken cancel)
    {
        var count = bench.Settings.Size(60_000);
        List<double> ours = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                ours.Add(await Workloads.StartAndRunAsync(server, count, cancel));
                bench.Say($"P4 run {run}: {Format.Number(ours[^1])}/s");
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        return [Figure.AtLeast("P4", "one `select 1` node, started over HTTP and completed", "/s", ours, 4000)];
    }

    public static async Task<IReadOnlyList<Figure>> MeasureFiveAsync(BenchContext bench, CancellationToken cancel)
    {
        List<double> reads = [], writes = [], dbos = [];
        var count = bench.Settings.Size(20_000);
        var reading = await bench.CreateDatabaseAsync(cancel);
        var writing = await bench.CreateDatabaseAsync(cancel);
        var peer = await bench.CreateDatabaseAsync(cancel);
        await BenchContext.ExecuteAsync(writing, "CREATE TABLE effect (number integer NOT NULL)", cancel);
        await using (var reader = await Workloads.WarmServerAsync(reading, Workloads.FiveReads, cancel))
        await using (var writer = await Workloads.WarmServerAsync(writing, Workloads.FiveWrites, cancel))
        {
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                if (bench.Peers is { } peers)
                    dbos.Add((await peers.RunAsync("dbos", "five-steps", peer, bench.Settings.Size(2000), cancel)).PerSecond);
                reads.Add(await Workloads.StartAndRunAsync(reader, count, cancel));
                writes.Add(await Workloads.StartAndRunAsync(writer, count / 2, cancel));
                bench.Say($"P5 run {run}: {Format.Number(reads[^1])}/s reading, {Format.Number(writes[^1])}/s writing{(dbos.Count > 0 ? $"; DBOS {Format.Number(dbos[^1])}/s" : "")}");
            }
        }

        foreach (var used in new[] { peer, writing, reading })
            await bench.DropDatabaseAsync(used, cancel);
        var anchor = dbos.Count == 0 ? null : new Anchor("DBOS, five no-op steps", dbos);
        return
        [
            Figure.AtLeastTimes("P5", "five `select 1` nodes in sequence, `readOnly`", "/s", reads, 10, anchor),
            Figure.AtLeastTimes("P5", "five `insert` nodes in sequence, with receipts", "/s", writes, 4, anchor),
        ];
    }
}
