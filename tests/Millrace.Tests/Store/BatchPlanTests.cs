using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>The plans of the statements that match many rows with the work table, at size.</summary>
public sealed class BatchPlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> Batches => ["claim.sql", "progress.sql", "park.sql", "finish.sql", "renew.sql"];

    /// <summary>A batch over a table that has grown since the connection was opened, and was never analysed, still goes by key.</summary>
    [Theory]
    [MemberData(nameof(Batches))]
    public async Task A_batch_looks_its_rows_up_by_key(string name)
    {
        var database = fixture.Server.Service<Database>();
        await using var connection = await database.Batches.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SHOW plan_cache_mode";
        Assert.Equal("force_custom_plan", await command.ExecuteScalarAsync());

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
            Assert.DoesNotMatch("Seq Scan|Bitmap|Hash Join|Merge Join|Materialize", plan);
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
        await using var command = connection.CreateCommand();
        command.CommandText = $"PREPARE claim AS {SqlText.Claim.TrimEnd().TrimEnd(';')}";
        await command.ExecuteNonQueryAsync();
        command.CommandText = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim(0, 100, '30 seconds', 1, 'test')";
        var plan = System.Text.Json.JsonElement.Parse((string)(await command.ExecuteScalarAsync())!);
        command.CommandText = "DEALLOCATE claim";
        await command.ExecuteNonQueryAsync();
        Assert.InRange(plan[0].GetProperty("Plan").GetProperty("Shared Hit Blocks").GetInt32(), 1, 100);
    }
}
