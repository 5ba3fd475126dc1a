using System.Globalization;
using System.Runtime.InteropServices;
using Millrace.Bench.Peers;
using Millrace.Bench.Report;
using Spectre.Console;

namespace Millrace.Bench;

/// <summary>One run of the program: the measurements that were asked for, with a progress bar, and the report of them.</summary>
internal static class BenchRun
{
    public static async Task<int> RunAsync(IReadOnlyList<Goal> goals, BenchSettings settings, CancellationToken cancel)
    {
        var (peers, reason) = await NodePeers.InstallAsync(cancel);
        List<string> leftOut = peers is null ? [$"the peers that run on Node.js (graphile-worker, pg-boss, DBOS): {reason}"] : [];
        var figures = new List<Figure>();
        var machine = "";
        await AnsiConsole.Progress().HideCompleted(false).StartAsync(async progress =>
        {
            var task = progress.AddTask("PostgreSQL", maxValue: goals.Count);
            await using var bench = await BenchContext.StartAsync(settings, peers, line => AnsiConsole.WriteLine(line), cancel);
            machine = await DescribeAsync(bench, settings, cancel);
            foreach (var goal in goals)
            {
                task.Description = goal.Id;
                try
                {
                    figures.AddRange(await goal.MeasureAsync(bench, cancel));
                }
                catch (Exception e) when (goals.Count > 1 && !cancel.IsCancellationRequested)
                {
                    // The other goals need not be lost with it.
                    leftOut.Add($"{goal.Id.ToUpperInvariant()}: {e.Message}");
                    AnsiConsole.WriteLine($"{goal.Id}: {e.Message}");
                }

                await new BenchReport(machine, figures, leftOut).WriteAsync(settings.Folder, cancel);
                task.Increment(1);
            }
        });
        AnsiConsole.WriteLine();
        Console.WriteLine(new BenchReport(machine, figures, leftOut).Markdown());
        AnsiConsole.WriteLine($"Also in {Path.GetFullPath(settings.Folder)}: bench.md, bench.json.");
        return figures.Any(figure => figure.Met is false) || figures.Count == 0 ? 1 : 0;
    }

    private static async Task<string> DescribeAsync(BenchContext bench, BenchSettings settings, CancellationToken cancel)
    {
        var database = await bench.CreateDatabaseAsync(cancel);
        var server = await BenchContext.ScalarAsync<string>(database, "SELECT 'PostgreSQL ' || current_setting('server_version')", cancel);
        var durable = await BenchContext.ScalarAsync<string>(database, """
            SELECT string_agg(name || '=' || current_setting(name), ', ')
            FROM unnest(ARRAY['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_connections', 'max_wal_size']) AS name
            """, cancel);
        await bench.DropDatabaseAsync(database, cancel);
        return string.Create(CultureInfo.InvariantCulture,
            $"{DateTime.UtcNow:yyyy-MM-dd}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB, {RuntimeInformation.OSDescription}, .NET {Environment.Version}; {server} on the same machine ({durable}); {settings}.");
    }
}
