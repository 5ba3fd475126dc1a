using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>The plans of the statements over many rows of the work table, at size.</summary>
public sealed class BatchPlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> Kept => ["claim.sql", "progress.sql", "finish.sql", "renew.sql", "await_row.sql", "alive.sql", "lock_rows.sql", "held.sql"];

    public static TheoryData<string> MadeAnew => ["park.sql", "save.sql"];

    /// <summary>The plan that a session keeps is made when it may be that nothing is there yet.</summary>
    [Theory]
    [MemberData(nameof(Kept))]
    public Task A_kept_plan_looks_rows_up_by_key_however_small_the_table_was(string name) =>
        CheckPlanAsync(fixture.Server.Service<Database>().Batches, "force_generic_plan", name);

    /// <summary>A batch over a table that has grown since the connection was opened, and was never analysed, still goes by key.</summary>
    [Theory]
    [MemberData(nameof(MadeAnew))]
    public Task A_batch_looks_its_rows_up_by_key(string name) =>
        CheckPlanAsync(fixture.Server.Service<Database>().Matches, "force_custom_plan", name);

    private async Task CheckPlanAsync(NpgsqlDataSource source, string mode, string name)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SHOW plan_cache_mode";
        Assert.Equal(mode, await command.ExecuteScalarAsync());

        await TestCluster.ExecuteAsync(fixture.ConnectionString, "TRUNCATE millrace.work");
        if (mode == "force_generic_plan")
        {
            await CheckAsync();
            await TestCluster.ExecuteAsync(fixture.ConnectionString, "VACUUM ANALYZE millrace.work");
            await CheckAsync();
        }

        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, now() + interval '1 hour'
            FROM generate_series(1, 5000)
            """);
        await CheckAsync();
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "VACUUM ANALYZE millrace.work");
        await CheckAsync();

        async Task CheckAsync()
        {
            var plan = await Plans.OfAsync(connection, name);
            Assert.DoesNotMatch("Seq Scan|Gather|Bitmap|Hash Join|Merge Join|Materialize|Sort", plan);
            Assert.Matches(@"Index Scan using work_pkey[^\n]*\n[^\n]*\(id = ", plan);
            Assert.DoesNotMatch(@"work_pkey[^\n]*\n[^\n]*Index Cond: \(bucket = [^)]*\)(\n|$)", plan);
        }
    }

    [Fact]
    public async Task An_idle_look_and_a_claim_read_nothing_of_what_sleeps()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, now() + interval '1 hour' * (1 + random())
            FROM generate_series(1, 20000)
            """);
        await using var connection = await fixture.Server.Service<Database>().Batches.OpenConnectionAsync();
        Assert.InRange(await BlocksAsync(connection, "claim.sql", $"(0, 100, '30 seconds', 1, 'test', {From("'-infinity'")}, now())"), 1, 100);
        Assert.InRange(await BlocksAsync(connection, "next_due.sql", $"(0, {From("'-infinity'")})"), 1, 100);
    }

    [Fact]
    public async Task A_claim_and_a_look_read_nothing_of_what_is_held_or_has_ended_below_their_beginning()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "TRUNCATE millrace.work");
        await using var report = new NpgsqlConnection(fixture.ConnectionString);
        await report.OpenAsync();
        await using var transaction = await report.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using (var snapshot = new NpgsqlCommand("SELECT count(*) FROM millrace.work", report))
            await snapshot.ExecuteScalarAsync();
        // Half of them have ended, the others are held, and the report's snapshot keeps the index entries of all.
        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at, leased_until)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, now() - interval '10 seconds', now() + interval '20 seconds'
            FROM generate_series(1, 20000)
            """);
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "DELETE FROM millrace.work WHERE id < '80000000-0000-0000-0000-000000000000'");
        await using var connection = await fixture.Server.Service<Database>().Batches.OpenConnectionAsync();
        var recently = From("now() - interval '1 second'");
        Assert.InRange(await BlocksAsync(connection, "claim.sql", $"(0, 100, '30 seconds', 1, 'test', {recently}, now())"), 1, 100);
        Assert.InRange(await BlocksAsync(connection, "next_due.sql", $"(0, {recently})"), 1, 100);
    }

    private static string From(string time) => $"array_fill(({time})::timestamptz, ARRAY[{LowWater.Priorities}])";

    // How many blocks a kept plan looks at.
    private static async Task<int> BlocksAsync(NpgsqlConnection connection, string name, string arguments)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = $"PREPARE look AS {Plans.Text(name)}";
        await command.ExecuteNonQueryAsync();
        command.CommandText = $"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE look{arguments}";
        var plan = System.Text.Json.JsonElement.Parse((string)(await command.ExecuteScalarAsync())!);
        command.CommandText = "DEALLOCATE look";
        await command.ExecuteNonQueryAsync();
        return plan[0].GetProperty("Plan").GetProperty("Shared Hit Blocks").GetInt32() + plan[0].GetProperty("Plan").GetProperty("Shared Read Blocks").GetInt32();
    }
}
