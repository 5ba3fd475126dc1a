using System.Text.RegularExpressions;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>
/// The plans that the store's connections keep, made while every table is empty, which is when a wrong one would be
/// chosen: look-ups by index only, and one partition at run time.
/// </summary>
public sealed class PlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> SingleRows => ["next_due.sql", "cancel.sql", "instance.sql", "live.sql", "facts.sql", "history.sql", "ended_among.sql", "key_holders.sql"];

    public static TheoryData<string> ByWeek => [.. Plans.ByWeek];

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

    [Theory]
    [MemberData(nameof(ByWeek))]
    public async Task With_years_of_partitions_a_kept_plan_knows_the_one_of_its_week(string name)
    {
        await MakeYearsAsync();
        await CheckAsync(name);
        await using var connection = await fixture.Server.Service<Database>().Batches.OpenConnectionAsync();
        var plan = await Plans.OfAsync(connection, name);
        var week = Partitions.Name("", Partitions.MondayOf(DateTimeOffset.UtcNow));
        Assert.All(Regex.Matches(plan, @"on (instance|outcome|node_execution)(_\d+)?"), table => Assert.Equal(week, table.Groups[2].Value));
        Assert.Contains(week, plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_a_plan_costs_no_other_process_is_started_for_it()
    {
        await MakeYearsAsync();
        var database = fixture.Server.Service<Database>();
        foreach (var source in new[] { database.Source, database.Batches, database.Matches })
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var command = connection.CreateCommand();
            // What the planner reckons with is not to be known for every machine and every future; here it reckons that it pays.
            command.CommandText = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0; SET min_parallel_table_scan_size = 0";
            foreach (var setting in command.CommandText.Split(';'))
            {
                command.CommandText = setting;
                await command.ExecuteNonQueryAsync();
            }

            command.CommandText = "EXPLAIN SELECT count(*) FROM millrace.instance";
            var lines = new List<string>();
            await using (var reader = await command.ExecuteReaderAsync())
            {
                while (await reader.ReadAsync())
                    lines.Add(reader.GetString(0));
            }

            Assert.DoesNotContain("Gather", string.Join('\n', lines), StringComparison.Ordinal);
            NpgsqlConnection.ClearPool(connection);
        }
    }

    private async Task MakeYearsAsync()
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.OpenAsync();
        var monday = Partitions.MondayOf(DateTimeOffset.UtcNow);
        foreach (var table in Partitions.Tables)
        {
            for (var week = 1; week <= 150; week++)
                await Partitions.CreateAsync(connection, table, monday.AddDays(-7 * week), CancellationToken.None);
        }
    }

    private async Task CheckAsync(string name)
    {
        await using var connection = await fixture.Server.Service<Database>().Source.OpenConnectionAsync();
        var plan = await Plans.OfAsync(connection, name);
        Assert.DoesNotMatch("Seq Scan|Bitmap|Hash Join|Merge Join|Materialize|Gather", plan);
        Assert.Matches("Index|Subplans Removed", plan);
        Assert.Matches("[$]1|Subplans Removed", plan);
        Assert.DoesNotMatch(@"work_pkey[^\n]*\n[^\n]*Index Cond: \(bucket = [^)]*\)(\n|$)", plan);
    }
}
