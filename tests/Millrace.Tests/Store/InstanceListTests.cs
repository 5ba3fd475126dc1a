using Millrace.Execution;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>Lists by every combination of filters, where few rows or many are looked at for a page.</summary>
public sealed class InstanceListTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task The_pages_of_every_filter_together_hold_what_matches_and_no_page_looks_at_more_than_it_may(int buckets)
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", $"{buckets}"));
        await FillAsync(buckets);
        var organisation = await TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.organisation");
        var list = new InstanceList(server.Service<Database>()) { RowsAPage = 120 };
        var shortOnes = 0;
        foreach (var status in new InstanceStatus?[] { null, InstanceStatus.Completed, InstanceStatus.Failed, InstanceStatus.Waiting, InstanceStatus.Running })
        {
            foreach (var label in new[] { null, "common", "rare" })
            {
                foreach (var workflow in new[] { null, "common", "rare", "nowhere" })
                {
                    var filter = new InstanceFilter(organisation, status, label, workflow, null, 20);
                    var (ids, pages) = await WalkAsync(list, filter);
                    var expected = await ExpectedAsync(filter);
                    Assert.True(expected.SequenceEqual(ids), $"{filter}: {ids.Count} instead of {expected.Length}");
                    // Each page holds a full one, or has looked at all that it may, or is the last.
                    Assert.True(pages <= (expected.Length / 20) + (2_000 / 120) + 2, $"{filter}: {pages} pages");
                    shortOnes += pages > (expected.Length / 20) + 1 ? 1 : 0;
                }
            }
        }

        Assert.True(shortOnes > 0, "no page was short");
    }

    [Fact]
    public async Task A_full_page_does_not_go_beyond_what_each_bucket_was_seen_to()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "4"));
        await FillAsync(4);
        // In one bucket what matches stands behind a crowd of newer ones that do not.
        await TestCluster.ExecuteAsync(connection, """
            update millrace.instance set label = 'crowd' where bucket = 2 and id > (select id from millrace.instance where bucket = 2 order by id offset 100 limit 1)
            """);
        var organisation = await TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.organisation");
        var list = new InstanceList(server.Service<Database>()) { RowsAPage = 120 };
        var filter = new InstanceFilter(organisation, null, "common", "common", null, 20);
        Assert.Equal(await ExpectedAsync(filter), (await WalkAsync(list, filter)).Ids);
    }

    [Fact]
    public async Task A_page_that_has_found_nothing_yet_leads_on_to_the_next_one()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "1"));
        await FillAsync(1, rows: 24_000);
        var first = (await server.GetAsync("instances?label=common&workflow=last")).Json;
        Assert.Equal((0, true), (first.GetProperty("data").GetArrayLength(), first.GetProperty("has_more").GetBoolean()));
        var second = (await server.GetAsync($"instances?label=common&workflow=last&cursor={first.GetProperty("next_cursor").GetString()}")).Json;
        Assert.Equal((1, false), (second.GetProperty("data").GetArrayLength(), second.GetProperty("has_more").GetBoolean()));
    }

    private static async Task<(List<Guid> Ids, int Pages)> WalkAsync(InstanceList list, InstanceFilter filter)
    {
        var (ids, pages) = (new List<Guid>(), 0);
        Guid? before = null;
        do
        {
            var page = await list.PageAsync(filter with { Before = before }, CancellationToken.None);
            Assert.True(page.Instances.Count <= filter.Limit);
            ids.AddRange(page.Instances.Select(view => view.Id));
            before = page.Next;
            pages++;
        }
        while (before is not null);
        return (ids, pages);
    }

    private Task<Guid[]> ExpectedAsync(InstanceFilter filter) => TestCluster.ScalarAsync<Guid[]>(connection, $"""
        SELECT coalesce(array_agg(instance.id ORDER BY instance.id DESC), '{"{}"}')
        FROM millrace.instance
        LEFT JOIN millrace.work USING (bucket, id)
        LEFT JOIN millrace.outcome USING (bucket, id)
        WHERE true
          {(filter.Status is { } status ? $"AND coalesce(outcome.status, work.status) = {(short)status}" : "")}
          {(filter.Label is { } label ? $"AND label = '{label}'" : "")}
          {(filter.Workflow is { } workflow ? $"AND workflow = '{workflow}'" : "")}
        """);

    // The first hundredth is failed, running or waiting, some of it is labelled; the oldest of all has a workflow of its own.
    private Task FillAsync(int buckets, int rows = 2_000) => TestCluster.ExecuteAsync(connection, $"""
        CREATE TEMP TABLE past AS
        SELECT n, n % {buckets} AS bucket, organisation_id,
               (lpad(to_hex((extract(epoch FROM now() - interval '1 hour' * (1 - n::float / {rows})) * 1000)::bigint), 12, '0') || '7'
                || lpad(to_hex(n % 4096), 3, '0') || to_hex(32768 + (n % {buckets}) * 16) || substr(md5(n::text), 1, 12))::uuid AS id
        FROM generate_series(1, {rows}) AS n CROSS JOIN millrace.organisation;
        INSERT INTO millrace.instance (bucket, id, organisation_id, definition_hash, workflow, label, priority, variables)
        SELECT bucket, id, organisation_id, '', CASE WHEN n = 1 THEN 'last' WHEN n % 200 = 3 THEN 'rare' WHEN n % 2 = 0 THEN 'common' END,
               CASE WHEN n % 150 = 4 THEN 'rare' WHEN n % 3 > 0 THEN 'common' END, 5, '{"{}"}' FROM past;
        INSERT INTO millrace.outcome (bucket, id, organisation_id, status, started_at)
        SELECT bucket, id, organisation_id, CASE WHEN n % 10 = 4 THEN 5 ELSE 4 END, now() FROM past WHERE n % 7 > 1;
        INSERT INTO millrace.work (bucket, id, organisation_id, priority, status, ready_at)
        SELECT bucket, id, organisation_id, 5, CASE WHEN n % 70 = 0 THEN 1 ELSE 2 END, 'infinity' FROM past WHERE n % 7 <= 1
        """);
}
