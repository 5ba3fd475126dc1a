using Millrace.Bench.Report;

namespace Millrace.Bench.Measures;

/// <summary>P10: ten minutes at 70 % of what P4 can do. P11: what connections are opened meanwhile.</summary>
internal static class Soak
{
    private const int Minutes = 10;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var seconds = bench.Settings.Seconds(60);
        List<double> rates = [], memory = [], dead = [], slow = [];
        var failures = 0L;
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            var rate = 0.7 * await Workloads.StartAndRunAsync(server, bench.Settings.Size(40_000), cancel);
            bench.Say($"P10: {Minutes} times {seconds:0} s at {Format.Number(rate)}/s");
            for (var minute = 1; minute <= Minutes; minute++)
            {
                var begin = await server.NowAsync(cancel);
                var load = await server.LoadAsync(128, seconds, cancel, rate: rate, shapes: Workloads.StartShape);
                failures += load.Failures;
                var end = await server.DrainedAsync(begin, load.Requests, cancel);
                rates.Add(load.Requests / (end - begin).TotalSeconds);
                slow.Add(load.P95);
                memory.Add(server.Memory() / 1048576.0);
                dead.Add(await BenchContext.ScalarAsync<long>(database, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'millrace' AND relname = 'work'", cancel));
                bench.Say($"P10 minute {minute}: {Format.Number(rates[^1])}/s, p95 of starts {Format.Number(slow[^1])} ms, {Format.Number(memory[^1])} MiB, {dead[^1]:N0} dead rows of work");
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
            new("P10", "dead rows of the work table after each minute", "", dead) { Goal = "the last ≤ 2 × the largest of the first three", Met = dead[^1] <= 2 * dead.Take(3).Max() },
        ];
    }

    public static async Task<IReadOnlyList<Figure>> MeasureConnectionsAsync(BenchContext bench, CancellationToken cancel)
    {
        List<double> opened = [], most = [];
        var database = await bench.CreateDatabaseAsync(cancel);
        await using (var server = await Workloads.WarmServerAsync(database, Workloads.SelectOne, cancel))
        {
            await Workloads.StartAndRunAsync(server, bench.Settings.Size(20_000), cancel);
            for (var run = 1; run <= bench.Settings.Runs; run++)
            {
                var begin = await server.NowAsync(cancel);
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                var watching = WatchAsync(database, begin, stop.Token);
                await Workloads.StartAndRunAsync(server, bench.Settings.Size(40_000), cancel);
                await stop.CancelAsync();
                var (fresh, count) = await watching;
                opened.Add(fresh);
                most.Add(count);
                bench.Say($"P11 run {run}: {fresh} connections opened for {bench.Settings.Size(40_000):N0} nodes, at most {count} open");
            }
        }

        await bench.DropDatabaseAsync(database, cancel);
        return
        [
            // A pool may still grow by one or two; a connection for each node would be tens of thousands.
            Figure.AtMost("P11", "connections opened during 40,000 nodes", "", opened, 2),
            Figure.AtMost("P11", "connections open at once (store 16 + 6 + 4, nodes 16, and 3 in reserve)", "", most, 45),
        ];
    }

    private static async Task<(int Opened, int Most)> WatchAsync(string database, DateTime since, CancellationToken cancel)
    {
        var seen = new HashSet<int>();
        var most = 0;
        await using var source = Npgsql.NpgsqlDataSource.Create(database);
        while (!cancel.IsCancellationRequested)
        {
            await using (var command = source.CreateCommand("SELECT pid, backend_start > $1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'millrace%'"))
            {
                command.Parameters.Add(new Npgsql.NpgsqlParameter<DateTime> { TypedValue = since });
                await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
                var count = 0;
                while (await reader.ReadAsync(CancellationToken.None))
                {
                    count++;
                    if (reader.GetBoolean(1))
                        seen.Add(reader.GetInt32(0));
                }

                most = Math.Max(most, count);
            }

            await Task.Delay(200, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return (seen.Count, most);
    }
}
