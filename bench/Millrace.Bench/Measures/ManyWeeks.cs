using Millrace.Bench.Load;
using Millrace.Bench.Report;
using Millrace.Store;
using Npgsql;

namespace Millrace.Bench.Measures;

/// <summary>P14: look-ups and P3 on a store with four years of weekly partitions, beside a new one.</summary>
internal static class ManyWeeks
{
    private const int Weeks = 200;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        List<double> drainsMany = [], drainsFew = [], lookUpsMany = [], lookUpsFew = [];
        var (manyDatabase, fewDatabase) = (await bench.CreateDatabaseAsync(cancel), await bench.CreateDatabaseAsync(cancel));
        await using (var few = await Workloads.WarmServerAsync(fewDatabase, Workloads.NoOp, cancel))
        await using (var many = await Workloads.WarmServerAsync(manyDatabase, Workloads.NoOp, cancel))
        {
            await MakeWeeksAsync(manyDatabase, cancel);
            await Workloads.StartAndRunAsync(many, 5000, cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                drainsFew.Add(await Workloads.DrainAsync(few, bench.Settings.Size(40_000), cancel));
                drainsMany.Add(await Workloads.DrainAsync(many, bench.Settings.Size(40_000), cancel));
                lookUpsFew.Add(await LookUpsAsync(bench, few, cancel));
                lookUpsMany.Add(await LookUpsAsync(bench, many, cancel));
                bench.Say($"P14 run {run}: drain {Format.Number(drainsMany[^1])}/s, with 6 weeks {Format.Number(drainsFew[^1])}/s; look-ups {Format.Number(lookUpsMany[^1])}/s, with 6 weeks {Format.Number(lookUpsFew[^1])}/s");
            }
        }

        await bench.DropDatabaseAsync(manyDatabase, cancel);
        await bench.DropDatabaseAsync(fewDatabase, cancel);
        return
        [
            Figure.AtLeastTimes("P14", $"P3 with {Weeks} weekly partitions", "/s", drainsMany, 0.8, new("with 6", drainsFew)),
            Figure.AtLeastTimes("P14", "`GET /instances/{id}`, 4 connections, likewise", "/s", lookUpsMany, 0.8, new("with 6", lookUpsFew)),
        ];
    }

    private static async Task<double> LookUpsAsync(BenchContext bench, BenchServer server, CancellationToken cancel)
    {
        var id = await BenchContext.ScalarAsync<Guid>(server.ConnectionString, "SELECT id FROM millrace.outcome LIMIT 1", cancel);
        // Of several shapes a 200 counts as success.
        var look = new Shape(1, "GET", $"{BenchServer.Instances}/{id}");
        var load = await server.LoadAsync(4, 0, cancel, requests: bench.Settings.Size(10_000), wait: 0, shapes: [look, look]);
        return load.PerSecond;
    }

    private static async Task MakeWeeksAsync(string database, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancel);
        var monday = Partitions.MondayOf(DateTimeOffset.UtcNow);
        foreach (var table in Partitions.Tables)
        {
            // Six are there already.
            for (var week = 2; week < Weeks - 4; week++)
                await Partitions.CreateAsync(connection, table, monday.AddDays(-7 * week), cancel);
        }
    }
}
