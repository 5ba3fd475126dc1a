using Millrace.Bench.Report;
using Npgsql;

namespace Millrace.Bench.Measures;

/// <summary>P11: what connections are opened while nodes run.</summary>
internal static class Connections
{
    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
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
        await using var source = NpgsqlDataSource.Create(database);
        while (!cancel.IsCancellationRequested)
        {
            await using (var command = source.CreateCommand("SELECT pid, backend_start > $1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'millrace%'"))
            {
                command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = since });
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
