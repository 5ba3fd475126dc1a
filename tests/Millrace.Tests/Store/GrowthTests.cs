using System.Text.Json;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>The plans of the hot statements with a million rows in each table: by index only, and as little read as if there were a hundred.</summary>
public sealed class GrowthTests : IAsyncLifetime
{
    private const int Rows = 1_000_000;
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_million_rows_are_never_gone_through()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        await FillAsync();
        var database = server.Service<Database>();
        foreach (var isAnalysed in new[] { false, true })
        {
            if (isAnalysed)
                await TestCluster.ExecuteAsync($"{connection};Command Timeout=0", "VACUUM ANALYZE");
            foreach (var name in new[] { "claim.sql", "progress.sql", "finish.sql", "renew.sql", "await_row.sql", "alive.sql", "lock_rows.sql", "held.sql" })
                await CheckAsync(database.Batches, name);
            foreach (var name in new[] { "park.sql", "save.sql", "forget_signals.sql" })
                await CheckAsync(database.Matches, name);
            foreach (var name in new[] { "instance.sql", "live.sql", "facts.sql", "history.sql", "next_due.sql", "ended_among.sql", "signal.sql", "cancel.sql", "retry.sql", "delete.sql" })
                await CheckAsync(database.Source, name);
            foreach (var filter in Filters(await TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.organisation")))
                await CheckListAsync(database.Source, filter);
        }
    }

    private static IEnumerable<InstanceFilter> Filters(Guid organisation) =>
    [
        new(organisation, null, null, null, null, 50),
        new(organisation, InstanceStatus.Completed, null, null, null, 50),
        new(organisation, InstanceStatus.Failed, null, null, null, 50),
        new(organisation, null, "rare", null, null, 50),
        new(organisation, null, null, "bench", null, 50),
        new(organisation, null, null, null, InstanceId.LeastAt(DateTimeOffset.UtcNow.AddDays(-1)), 50),
    ];

    private static async Task CheckAsync(NpgsqlDataSource source, string name)
    {
        await using var session = await source.OpenConnectionAsync();
        var plan = await Plans.OfAsync(session, name);
        Assert.False(System.Text.RegularExpressions.Regex.IsMatch(plan, "Seq Scan|Gather|Bitmap|Sort|Hash Join|Merge Join|Materialize"), $"{name}:\n{plan}");
        Assert.DoesNotMatch(@"work_pkey[^\n]*\n[^\n]*Index Cond: \(bucket = [^)]*\)(\n|$)", plan);
    }

    private static async Task CheckListAsync(NpgsqlDataSource source, InstanceFilter filter)
    {
        await using var session = await source.OpenConnectionAsync();
        await using var command = session.CreateCommand();
        command.CommandText = $"PREPARE list AS {InstanceListSql.Of(filter, rowsABucket: 10_000)}";
        await command.ExecuteNonQueryAsync();
        var more = string.Concat(new[] { filter.Label, filter.Workflow }.OfType<string>().Select(value => $", '{value}'"));
        command.CommandText = $"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE list('{filter.Organisation}', {filter.Limit}, 0, '{filter.Before ?? Guid.AllBitsSet}'{more})";
        var plan = (string)(await command.ExecuteScalarAsync())!;
        command.CommandText = "DEALLOCATE list";
        await command.ExecuteNonQueryAsync();
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        var top = JsonElement.Parse(plan)[0].GetProperty("Plan");
        // Four look-ups for each of fifty, each through three levels of an index, and what it takes to find the first.
        Assert.True(top.GetProperty("Shared Hit Blocks").GetInt32() + top.GetProperty("Shared Read Blocks").GetInt32() < 1500, $"{filter}:\n{plan}");
    }

    private Task FillAsync() => TestCluster.ExecuteAsync($"{connection};Command Timeout=0", $$"""
        CREATE TEMP TABLE past AS
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '800' || substr(md5(n::text), 1, 13))::uuid AS id, at, n
        FROM generate_series(1, {{Rows}}) AS n
        CROSS JOIN LATERAL (SELECT now() - interval '2 days' * (1 - n::double precision / {{Rows}}) AS at) AS time;
        INSERT INTO millrace.instance (bucket, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables, created_at)
        SELECT 0, id, organisation_id, hash, CASE WHEN n % 1000 = 0 THEN 'bench' END, 1, CASE WHEN n % 10000 = 0 THEN 'rare' END, 5, '{}', '{}', at
        FROM past CROSS JOIN (SELECT organisation_id, hash FROM millrace.definition LIMIT 1) AS known;
        INSERT INTO millrace.outcome (bucket, id, organisation_id, status, result, started_at, ended_at)
        SELECT 0, id, organisation_id, CASE WHEN n % 100 = 0 THEN 5 ELSE 4 END, '{}', at, at
        FROM past CROSS JOIN (SELECT organisation_id FROM millrace.definition LIMIT 1) AS known;
        INSERT INTO millrace.node_execution (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, started_at, ended_at, worker)
        SELECT 0, id, organisation_id, 0, '/do/0', 0, 1, 'set', 1, '{}', at, at, 'past'
        FROM past CROSS JOIN (SELECT organisation_id FROM millrace.definition LIMIT 1) AS known;
        INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
        SELECT 0, gen_random_uuid(), organisation_id, 5, now() + interval '1 day' * random()
        FROM past CROSS JOIN (SELECT organisation_id FROM millrace.definition LIMIT 1) AS known;
        DROP TABLE past;
        """);
}
