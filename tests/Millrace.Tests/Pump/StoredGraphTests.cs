using System.Text.Json;
using Millrace.Chaos;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>
/// Random workflows of every kind on real servers and a real store, where servers are killed. Whoever takes over must be
/// able to rebuild the state of whatever it finds, and the history must stay whole.
/// </summary>
public sealed class StoredGraphTests : IAsyncLifetime
{
    private const int Graphs = 150;
    private readonly string key = KeyStore.NewKey();
    private readonly int seed = Seeds.First;
    private string connection = "";

    // When all have been cancelled, whatever is live compensates, and has something to wake it: its own time, a signal that it
    // says it waits for, a child that is live. What says that it waits, and for nothing, would wait for ever.
    private const string WaitsForNothing = """
        SELECT coalesce(string_agg(to_json(work)::text, E'\n'), '')
        FROM millrace.work
        WHERE status <> 2 OR suspended OR NOT EXISTS (
            SELECT
            FROM json_array_elements(waiting_on) AS wait
            WHERE wait ->> 'path' LIKE '%/compensate/%'
              AND CASE
                      WHEN wait ->> 'until' IS NOT NULL THEN ready_at <= (wait ->> 'until')::timestamptz + interval '1 second'
                      WHEN wait ->> 'reason' = 'signal' THEN true
                      ELSE EXISTS (SELECT FROM millrace.instance AS child JOIN millrace.work AS live USING (bucket, id) WHERE child.parent_id = work.id)
                  END)
        """;

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task Instances_whose_servers_are_killed_go_on_from_what_was_stored()
    {
        await using var last = await TestServer.StartAsync(connection, ("ApiKey", key), ("Pump:Lease", "00:00:02"), ("Pump:MaxInstances", "20"));
        await last.PutAsync("workflows/child", """{"do":[{"sql":"select 1 as n"}]}""");
        var started = await StartAllAsync(last);
        for (var kill = 0; kill < 3; kill++)
        {
            await using var doomed = ServerProcess.StartOn(connection, key, ("Millrace__Pump__Lease", "00:00:02"));
            using var client = await doomed.ClientAsync(key);
            await Task.WhenAll(started.Select(async id => (await client.PostAsync($"instances/{id}/signals/s{(kill % 2) + 1}", null)).Dispose()));
            doomed.Process.Kill();
        }

        await Task.WhenAll(started.Select(id => last.InstanceAsync(id, "3s")));
        foreach (var id in started)
            await last.PostAsync($"instances/{id}/cancel", null);

        // A compensation may itself wait, for a signal that never comes or for the next full minute.
        var idle = await EndOrWaitAsync();
        Assert.True(idle.Length == 0, $"seed {seed}: neither ended nor waiting for anything that can come: {idle}");
        foreach (var id in started)
            await CheckAsync(last, id);
    }

    // Those that have neither ended nor wait for something, once there are no more of them or patience has ended.
    private async Task<string> EndOrWaitAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var idle = await TestCluster.ScalarAsync<string>(connection, WaitsForNothing);
            if (idle.Length == 0 || limit.IsCancellationRequested)
                return idle;
            await Task.Delay(50);
        }
    }

    private async Task<List<string>> StartAllAsync(TestServer server)
    {
        var started = new List<string>();
        for (var i = 0; i < Graphs; i++)
        {
            var graph = new RandomGraph(new Random(seed + i)).Make().ToJsonString();
            started.Add(await server.StartInstanceAsync(graph.Replace("https://example.com/", "http://127.0.0.1:1/", StringComparison.Ordinal)));
        }

        return started;
    }

    private async Task CheckAsync(TestServer server, string id)
    {
        var instance = await server.InstanceAsync(id);
        var error = instance.GetProperty("error");
        Assert.False(
            error.ValueKind is JsonValueKind.Object && error.TryGetProperty("code", out var code) && code.GetString() is "worker_lost" or "internal",
            $"seed {seed}: {id}: {error}");

        var organisation = await TestCluster.ScalarAsync<Guid>(connection, $"select organisation_id from millrace.instance where id = '{id}'");
        var history = await server.Service<InstanceStore>().ExecutionsAsync(organisation, Guid.Parse(id), 0, int.MaxValue, CancellationToken.None).ToListAsync();
        Assert.Equal(Enumerable.Range(0, history.Count), history.Select(view => view.Execution.Ordinal));
        Assert.True(history.Count == history.Select(view => view.Execution.Key).Distinct().Count(), $"seed {seed}: {id} has executed something twice");
    }
}
