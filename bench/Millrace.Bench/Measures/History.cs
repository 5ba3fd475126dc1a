using System.Globalization;
using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P9: P3, P4 and lists on a store with a long past and much that sleeps, beside an empty one.</summary>
internal static class History
{
    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var (ended, sleeping) = (bench.Settings.Size(10_000_000), bench.Settings.Size(1_000_000));
        List<double> drainsFull = [], drainsEmpty = [], runsFull = [], runsEmpty = [], lists = [];
        var full = await bench.CreateDatabaseAsync(cancel);
        var empty = await bench.CreateDatabaseAsync(cancel);
        await using (var old = await Workloads.WarmServerAsync(full, Workloads.NoOp, cancel))
        await using (var fresh = await Workloads.WarmServerAsync(empty, Workloads.NoOp, cancel))
        {
            await FillAsync(bench, full, ended, cancel);
            bench.Say($"P9: {sleeping:N0} instances are put to sleep");
            await old.StartManyAsync(sleeping, Workloads.Start[..^1] + ""","delay":"P30D"}""", cancel);
            await BenchContext.ExecuteAsync(full, "VACUUM ANALYZE", cancel);

            // What is compared is a long past, not what is still on its way to the disk from writing it in a minute.
            await BenchContext.ExecuteAsync(full, "CHECKPOINT", cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                drainsEmpty.Add(await Workloads.DrainAsync(fresh, bench.Settings.Size(40_000), cancel));
                drainsFull.Add(await Workloads.DrainAsync(old, bench.Settings.Size(40_000), cancel));
                lists.Add((await old.LoadAsync(1, 0, cancel, requests: 500, shapes: [new(1, "GET", $"{BenchServer.Instances}?limit=50"), new(1, "GET", $"{BenchServer.Instances}?limit=50&status=completed")])).P95);
                bench.Say($"P9 run {run}: drain {Format.Number(drainsFull[^1])}/s, empty {Format.Number(drainsEmpty[^1])}/s; list p95 {Format.Number(lists[^1])} ms");
            }

            await old.StoreWorkflowAsync("bench", Workloads.SelectOne, cancel);
            await fresh.StoreWorkflowAsync("bench", Workloads.SelectOne, cancel);
            await Workloads.StartAndRunAsync(old, 5000, cancel);
            await Workloads.StartAndRunAsync(fresh, 5000, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                runsEmpty.Add(await Workloads.StartAndRunAsync(fresh, bench.Settings.Size(40_000), cancel));
                runsFull.Add(await Workloads.StartAndRunAsync(old, bench.Settings.Size(40_000), cancel));
                bench.Say($"P9 run {run}: select 1 {Format.Number(runsFull[^1])}/s, empty {Format.Number(runsEmpty[^1])}/s");
            }
        }

        await bench.DropDatabaseAsync(full, cancel);
        await bench.DropDatabaseAsync(empty, cancel);
        return
        [
            Figure.AtLeastTimes("P9", $"P3 with {ended / 1_000_000.0:0.##} M ended and {sleeping / 1_000_000.0:0.##} M sleeping instances", "/s", drainsFull, 0.9, new("empty database", drainsEmpty)),
            Figure.AtLeastTimes("P9", "P4 likewise", "/s", runsFull, 0.9, new("empty database", runsEmpty)),
            Figure.AtMost("P9", "list of 50, all or completed, p95", " ms", lists, 10),
        ];
    }

    // Ended instances of the last days, as the engine would have left them; by two sessions at once.
    private static async Task FillAsync(BenchContext bench, string database, int count, CancellationToken cancel)
    {
        const int atOnce = 250_000;
        var next = 0;
        var filled = 0;
        async Task FillSomeAsync()
        {
            while (Interlocked.Add(ref next, atOnce) - atOnce is var from && from < count)
            {
                await BenchContext.ExecuteAsync(database, Fill(from, Math.Min(from + atOnce, count), count), cancel);
                bench.Say($"P9: {Interlocked.Add(ref filled, atOnce):N0} of {count:N0} ended instances are there");
            }
        }

        await Task.WhenAll(FillSomeAsync(), FillSomeAsync());
    }

    private static string Fill(int from, int to, int count) => string.Create(CultureInfo.InvariantCulture, $$"""
        WITH past AS MATERIALIZED (
            SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '800' || substr(md5(n::text), 1, 13))::uuid AS id, at
            FROM generate_series({{from}}, {{to}} - 1) AS n
            CROSS JOIN LATERAL (SELECT now() - interval '5 days' * (1 - n::double precision / {{count}}) - interval '1 hour' AS at) AS time
        ), known AS MATERIALIZED (
            SELECT organisation_id, hash FROM millrace.definition LIMIT 1
        ), facts AS (
            INSERT INTO millrace.instance (bucket, id, organisation_id, definition_hash, workflow, version, priority, input, variables, created_at)
            SELECT 0, id, organisation_id, hash, 'bench', 1, 5, '{"order":4711}', '{}', at
            FROM past CROSS JOIN known
        ), ends AS (
            INSERT INTO millrace.outcome (bucket, id, organisation_id, status, result, started_at, ended_at)
            SELECT 0, id, organisation_id, 4, '{"done":true}', at, at
            FROM past CROSS JOIN known
        )
        INSERT INTO millrace.node_execution (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, started_at, ended_at, worker)
        SELECT 0, id, organisation_id, 0, '/do/0', 0, 1, 'set', 1, '{"done":true}', at, at, 'past'
        FROM past CROSS JOIN known
        """);
}
