using System.Text.RegularExpressions;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>
/// The plans that the store's connections keep, made while every table is empty, which is when a wrong one would be
/// chosen: look-ups by index only, and one partition at run time.
/// </summary>
public sealed class PlanTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    public static TheoryData<string> Statements =>
        ["claim.sql", "next_due.sql", "progress.sql", "park.sql", "finish.sql", "renew.sql", "cancel.sql", "instance.sql", "history.sql", "ended_among.sql", "key_holders.sql"];

    [Theory]
    [MemberData(nameof(Statements))]
    public async Task A_kept_plan_reads_tables_by_index_only(string name)
    {
        var sql = SqlText.Load(name).TrimEnd().TrimEnd(';');
        var count = Regex.Matches(sql, @"\$(\d+)").Max(match => int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        await using var connection = await fixture.Server.Service<Database>().Source.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"PREPARE plan AS {sql}";
        await command.ExecuteNonQueryAsync();
        command.CommandText = $"EXPLAIN EXECUTE plan({string.Join(", ", Enumerable.Repeat("NULL", count))})";
        var lines = new List<string>();
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                lines.Add(reader.GetString(0));
        }

        command.CommandText = "DEALLOCATE plan";
        await command.ExecuteNonQueryAsync();
        var plan = string.Join('\n', lines);
        Assert.DoesNotMatch("Seq Scan|Bitmap|Hash Join|Merge Join", plan);
        Assert.Matches("Index|Subplans Removed", plan);
        Assert.Matches("[$]1|Subplans Removed", plan);
    }

    [Fact]
    public async Task An_idle_look_and_a_claim_read_nothing_of_what_sleeps()
    {
        await TestCluster.ExecuteAsync(fixture.ConnectionString, """
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, now() + interval '1 hour' * (1 + random())
            FROM generate_series(1, 20000)
            """);
        await using var connection = await fixture.Server.Service<Database>().Source.OpenConnectionAsync();
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
