using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>
/// The plans of the statements about signals and children, as the store's connections make them: with rows that
/// nobody has counted yet and with counted ones, every look-up is by the row's own key, never through a bucket.
/// </summary>
public sealed class ControlPlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> Statements =>
        ["forget_signals.sql", "end_children.sql", "cancel_children.sql", "forget_children.sql", "save.sql"];

    public static TheoryData<string> SingleRows => ["signal.sql", "signals.sql", "child_results.sql", "edges.sql", "suspend.sql", "resume.sql", "retry.sql", "delete.sql"];

    [Theory]
    [MemberData(nameof(Statements))]
    public Task A_batch_reads_by_key_only(string name) => CheckAsync(name, fixture.Server.Service<Database>().Matches);

    [Theory]
    [MemberData(nameof(SingleRows))]
    public Task A_single_row_is_read_by_key_only(string name) => CheckAsync(name, fixture.Server.Service<Database>().Source);

    private async Task CheckAsync(string name, Npgsql.NpgsqlDataSource source)
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.child_group SELECT 0, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 1 FROM generate_series(1, 2000);
            INSERT INTO millrace.child SELECT 0, parent_id, group_id, place, parent_id, gen_random_uuid(), true FROM millrace.child_group, generate_series(1, 5) AS place ON CONFLICT DO NOTHING;
            INSERT INTO millrace.child_end SELECT 0, parent_id, group_id, place, parent_id, child_id, 4 FROM millrace.child ON CONFLICT DO NOTHING;
            INSERT INTO millrace.signal SELECT 0, parent_id, parent_id, n, 'x', '1' FROM millrace.child_group, generate_series(1, 2) AS n ON CONFLICT DO NOTHING;
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, 'infinity' FROM generate_series(1, 3000);
            """);
        await using var connection = await source.OpenConnectionAsync();
        for (var look = 0; look < 2; look++)
        {
            var plan = await Plans.OfAsync(connection, name);
            Assert.DoesNotMatch("Seq Scan|Gather|Bitmap|Hash Join|Merge Join|Materialize", plan);
            // The bucket alone leads to everything there is.
            Assert.DoesNotMatch(@"Index Cond: \(bucket = [^)]*\)(\n|$)", plan);
            Assert.DoesNotMatch(@"Join Filter", plan);
            await TestCluster.ExecuteAsync(fixture.ConnectionString, "VACUUM ANALYZE millrace.child_group, millrace.child, millrace.child_end, millrace.signal, millrace.work");
        }
    }
}
