using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Millrace.Server;
using Millrace.Store;
using Npgsql;
using Spectre.Console;

namespace Millrace.Bench.Measures;

/// <summary>
/// Runs one instance whose loop turns many times, and measures each tenth of it: the time a turn took, by the history; how
/// large the kept state was; and how much memory the process held after a collection.
/// </summary>
internal static class LongLoop
{
    private const int Parts = 10;

    public static async Task<int> RunAsync(int turns, string node, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("millrace-bench-").FullName;
        var key = KeyStore.NewKey();
        try
        {
            await using var app = await ServerApp.BuildAsync(
                "http://127.0.0.1:0",
                configuration =>
                {
                    configuration["Millrace:DataDirectory"] = folder;
                    configuration["Millrace:ApiKey"] = key;
                    configuration["Logging:LogLevel:Default"] = "Warning";
                },
                AnsiConsole.WriteLine,
                cancel);
            await app.Web.StartAsync(cancel);
            var connection = app.Web.Configuration["Millrace:ConnectionString"]!;
            var id = await StartAsync(app.Web.Urls.First(), key, turns, node, cancel);
            var samples = await WatchAsync(connection, id, turns, cancel);
            await ReportAsync(connection, id, turns, node, samples, cancel);
            await app.Web.StopAsync(cancel);
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> StartAsync(string address, string key, int turns, string node, CancellationToken cancel)
    {
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        var body = node == "set"
            ? """{"set":{"last":"{{ instance.id }}"}}"""
            : """{"sql":{"query":"select 1 as n","readOnly":true},"as":"last"}""";
        using var content = new StringContent($$$"""{"definition":{"do":[{"loop":[{{{body}}}],"max":{{{turns}}} }]}}""", Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync($"{address}/api/v1/instances", content, cancel);
        answer.EnsureSuccessStatusCode();
        return JsonElement.Parse(await answer.Content.ReadAsStringAsync(cancel)).GetProperty("id").GetString()!;
    }

    // The history is looked at from outside while the loop turns; state and memory are taken as each tenth is reached.
    private static async Task<List<(long StateBytes, long MemoryBytes)>> WatchAsync(string connectionString, string id, int turns, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        var samples = new List<(long, long)>();
        await AnsiConsole.Progress().StartAsync(async progress =>
        {
            var task = progress.AddTask("turns", maxValue: turns);
            while (samples.Count < Parts)
            {
                await Task.Delay(50, cancel);
                await using var command = source.CreateCommand($"""
                    SELECT coalesce((SELECT ordinal + 1 FROM millrace.node_execution WHERE instance_id = '{id}' ORDER BY ordinal DESC LIMIT 1), 0),
                           coalesce((SELECT octet_length(snapshot::text) FROM millrace.work WHERE id = '{id}'), 0)::bigint,
                           EXISTS (SELECT FROM millrace.outcome WHERE id = '{id}')
                    """);
                await using var reader = await command.ExecuteReaderAsync(cancel);
                await reader.ReadAsync(cancel);
                var done = reader.GetInt32(0);
                task.Value = done;
                while (samples.Count < Parts && (done >= (long)turns * (samples.Count + 1) / Parts || reader.GetBoolean(2)))
                    samples.Add((reader.GetInt64(1), GC.GetTotalMemory(forceFullCollection: true)));
            }
        });
        return samples;
    }

    private static async Task ReportAsync(
        string connectionString, string id, int turns, string node, List<(long StateBytes, long MemoryBytes)> samples, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand($"""
            SELECT extract(epoch FROM max(ended_at) - min(started_at))::double precision
            FROM millrace.node_execution
            WHERE instance_id = '{id}' AND path = '/do/0/loop/0'
            GROUP BY iteration::bigint * {Parts} / {turns}
            ORDER BY iteration::bigint * {Parts} / {turns}
            """);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var table = new Table().AddColumns("turns", "µs a turn", "kept state, bytes", "managed memory, MiB").Border(TableBorder.Markdown);
        for (var part = 0; await reader.ReadAsync(cancel); part++)
        {
            table.AddRow(
                string.Create(CultureInfo.InvariantCulture, $"{(long)turns * part / Parts:N0}–{(long)turns * (part + 1) / Parts:N0}"),
                string.Create(CultureInfo.InvariantCulture, $"{reader.GetDouble(0) * 1e6 * Parts / turns:N1}"),
                samples[part].StateBytes == 0 ? "ended" : samples[part].StateBytes.ToString("N0", CultureInfo.InvariantCulture),
                string.Create(CultureInfo.InvariantCulture, $"{samples[part].MemoryBytes / 1048576.0:N1}"));
        }

        AnsiConsole.WriteLine($"A loop of {turns:N0} turns, one \"{node}\" node each, on {Environment.ProcessorCount} cores:");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"Peak working set {Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB.");
    }
}
