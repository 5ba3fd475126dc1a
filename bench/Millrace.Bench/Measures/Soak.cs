using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P10: ten minutes at 70 % of what P4 can do.</summary>
internal static class Soak
{
    private const int Minutes = 10;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var seconds = bench.Settings.Seconds(60);
        List<double> rates = [], memory = [], dead = [], sizes = [];
        var failures = 0L;
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            var rate = 0.7 * await Workloads.StartAndRunAsync(server, bench.Settings.Size(40_000), cancel);
            bench.Say($"P10: {Minutes} times {seconds:0} s at {Format.Number(rate)}/s");
            for (var minute = 1; minute <= Minutes; minute++)
            {
                var begin = await server.NowAsync(cancel);
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                var watching = WatchAsync(database, stop.Token);
                var load = await server.LoadAsync(128, seconds, cancel, rate: rate, shapes: Workloads.StartShape);
                failures += load.Failures;
                var end = await server.DrainedAsync(begin, load.Requests, cancel);
                rates.Add(load.Requests / (end - begin).TotalSeconds);
                memory.Add(server.Memory() / 1048576.0);
                await stop.CancelAsync();
                dead.Add(await watching);
                sizes.Add(await BenchContext.ScalarAsync<long>(database, "SELECT pg_total_relation_size('millrace.work')", cancel) / 1048576.0);
                bench.Say($"P10 minute {minute}: {Format.Number(rates[^1])}/s, p95 of starts {Format.Number(load.P95)} ms, {Format.Number(memory[^1])} MiB; work table: {dead[^1]:N0} dead rows at most, {Format.Number(sizes[^1])} MiB");
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        var drift = 100 * Math.Abs((rates.TakeLast(3).Average() / rates.Take(3).Average()) - 1);
        return
        [
            new("P10", "soak, completed in each minute", "/s", rates),
            Figure.AtMost("P10", "failures", "", [failures], 0),
            Figure.AtMost("P10", "drift of the last three minutes from the first three", " %", [drift], 5),
            new("P10", "resident memory of the server after each minute", " MiB", memory) { Goal = "the last ≤ 1.25 × the third", Met = memory[^1] <= 1.25 * memory[2] },
            new("P10", "dead rows of the work table, the most in each minute", "", dead) { Goal = "the last ≤ 1.25 × the largest of the first three", Met = dead[^1] <= 1.25 * dead.Take(3).Max() },
            new("P10", "work table and its indexes after each minute", " MiB", sizes) { Goal = "the last ≤ 1.25 × the third", Met = sizes[^1] <= 1.25 * sizes[2] },
        ];
    }

    // The most dead rows that the statistics have shown. Autovacuum comes once a minute: what one look shows depends on how
    // long before it was there, and looks once a minute would follow that beat, not the table.
    private static async Task<double> WatchAsync(string database, CancellationToken cancel)
    {
        var most = 0L;
        while (!cancel.IsCancellationRequested)
        {
            most = Math.Max(most, await BenchContext.ScalarAsync<long>(
                database, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'millrace' AND relname = 'work'", CancellationToken.None));
            await Task.Delay(1000, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return most;
    }
}
