using Millrace.Bench.Load;
using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P1: single starts over 64 connections, beside a bare web server that inserts two rows for each request.</summary>
internal static class Starts
{
    private const int Connections = 64;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var seconds = bench.Settings.Seconds(10);
        List<double> ours = [], slowest = [], bare = [], both = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        // Starts alone, as in an app whose pump runs elsewhere, and as the bare server does: it runs nothing either.
        await using (var server = await BenchContext.StartServerAsync(database, cancel, ("Millrace__Pump__Enabled", "false")))
        {
            await server.StoreWorkflowAsync("bench", Workloads.NoOp, cancel);
            using var kestrel = OwnProcess.Start("kestrel", database);
            var address = (await kestrel.StandardOutput.ReadLineAsync(cancel))!;
            await server.LoadAsync(Connections, 4, cancel, shapes: Workloads.StartShape);
            await BareAsync(address, 2, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                bare.Add((await BareAsync(address, seconds, cancel)).PerSecond);
                var load = await server.LoadAsync(Connections, seconds, cancel, shapes: Workloads.StartShape);
                Require(load);
                ours.Add(load.PerSecond);
                slowest.Add(load.P99);
                bench.Say($"P1 run {run}: {Format.Number(load.PerSecond)}/s, p99 {Format.Number(load.P99)} ms; bare {Format.Number(bare[^1])}/s");
            }

            kestrel.StandardInput.Close();
            await kestrel.WaitForExitAsync(cancel);
        }

        await bench.DropDatabaseAsync(database, cancel);
        database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.NoOp, cancel))
        {
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                var begin = await server.NowAsync(cancel);
                var load = await server.LoadAsync(Connections, seconds / 2, cancel, shapes: Workloads.StartShape);
                Require(load);
                both.Add(load.PerSecond);
                await server.DrainedAsync(begin, load.Requests, cancel);
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        return
        [
            Figure.AtLeastTimes("P1", "`POST /instances`, 64 connections", "/s", ours, 1.5, new("bare Kestrel, one INSERT", bare)),
            Figure.AtMost("P1", "the same, p99", " ms", slowest, 25),
            new("P1", "the same while the pump of the same process runs what is started", "/s", both),
        ];
    }

    private static Task<Outcome> BareAsync(string address, double seconds, CancellationToken cancel) =>
        LoadProcess.RunAsync(new(address, null, Connections, seconds, 0, 0, 0, 202, [new(1, "POST", "/start", Workloads.Start)]), cancel);

    internal static void Require(Outcome load)
    {
        if (load.Failures > 0)
            throw new InvalidOperationException($"{load.Failures} of {load.Requests} requests failed: {load.FirstFailure}");
    }
}
