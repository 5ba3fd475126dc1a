using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>
/// The plans that the store's connections keep, made while every table is empty, which is when a wrong one would be
/// chosen: look-ups by index only, and one partition at run time.
/// </summary>
public sealed class PlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> SingleRows => ["next_due.sql", "cancel.sql", "instance.sql", "history.sql", "ended_among.sql", "key_holders.sql"];

    [Theory]
    [MemberData(nameof(SingleRows))]
    public async Task A_kept_plan_reads_tables_by_index_only(string name)
    {
        // The kept plan is the one of whatever the table looked like when it was made: new, empty, nearly empty.
        await CheckAsync(name);
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "VACUUM ANALYZE millrace.work");
        await CheckAsync(name);
        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at) VALUES (9, gen_random_uuid(), gen_random_uuid(), 5, 'infinity')
            """);
        await TestCluster.ExecuteAsync(fixture.ConnectionString, "VACUUM ANALYZE millrace.work");
        await CheckAsync(name);
    }

    private async Task CheckAsync(string name)
    {
        await using var connection = await fixture.Server.Service<Database>().Source.OpenConnectionAsync();
        var plan = await Plans.OfAsync(connection, name);
        Assert.DoesNotMatch("Seq Scan|Bitmap|Hash Join|Merge Join|Materialize", plan);
        Assert.Matches("Index|Subplans Removed", plan);
        Assert.Matches("[$]1|Subplans Removed", plan);
        Assert.DoesNotMatch(@"work_pkey[^\n]*\n[^\n]*Index Cond: \(bucket = [^)]*\)(\n|$)", plan);
    }
}
