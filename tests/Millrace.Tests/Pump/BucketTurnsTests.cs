using System.Diagnostics;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>Many buckets: none waits for another, and looking at all of them is one round trip.</summary>
public sealed class BucketTurnsTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_bucket_does_not_wait_until_another_is_empty()
    {
        var key = KeyStore.NewKey();
        await using (var one = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "1"), ("ApiKey", key)))
        {
            var items = string.Join(',', Enumerable.Repeat("""{"definition":{"do":[{"set":{"a":1}}]}}""", 200));
            await one.PostAsync("instances/batch", $"[{items}]");
        }

        await using (var two = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "2"), ("ApiKey", key)))
        {
            while (InstanceId.BucketOf(Guid.Parse(await two.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}"""))) == 0)
            {
                // Until one lands in the other bucket.
            }
        }

        await using var pump = await TestServer.StartAsync(connection, ("Store:Buckets", "2"), ("ApiKey", key), ("Pump:MaxInstances", "1"), ("Pump:ClaimBatch", "1"));
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select not exists (select from millrace.work)"), "all have run");
        Assert.InRange(await TestCluster.ScalarAsync<long>(connection, """
            select count(*) from millrace.outcome where started_at < (select started_at from millrace.outcome where bucket = 1)
            """), 0, 5);
    }

    [Fact]
    public async Task A_probe_and_a_look_at_many_buckets_are_one_round_trip_each()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "32"));
        Assert.Equal(1, await RoundTripsAsync(async () => Assert.Empty(await server.Service<StoreHealth>().ReasonsAsync(CancellationToken.None))));
        Assert.Equal(1, await RoundTripsAsync(async () => Assert.Equal(32, (await server.Service<DueStore>().AskAsync(CancellationToken.None)).Count)));
    }

    [Fact]
    public async Task A_probe_tells_of_another_schema_whatever_the_tables_are_like()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        await TestCluster.ExecuteAsync(connection, "insert into millrace.migration (number, name, checksum) values (9999, 'next', '')");
        await TestCluster.ExecuteAsync(connection, "alter table millrace.work rename column ready_at to claimable_at");
        Assert.StartsWith("schema version", Assert.Single(await server.Service<StoreHealth>().ReasonsAsync(CancellationToken.None)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_look_tells_of_each_bucket_when_something_is_due()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "4"));
        await TestCluster.ExecuteAsync(connection, """
            insert into millrace.work (bucket, id, organisation_id, priority, ready_at, leased_until)
            values (1, gen_random_uuid(), gen_random_uuid(), 9, now() + interval '1 hour', null),
                   (1, gen_random_uuid(), gen_random_uuid(), 0, now() + interval '2 hours', null),
                   (2, gen_random_uuid(), gen_random_uuid(), 5, now() - interval '1 hour', null),
                   (3, gen_random_uuid(), gen_random_uuid(), 5, now() - interval '1 hour', now() + interval '1 hour')
            """);
        var due = (await server.Service<DueStore>().AskAsync(CancellationToken.None)).Select(next => next is { } span ? Math.Round(span.TotalHours) : (double?)null);
        Assert.Equal([null, 1, -1, null], due);
    }

    // What Npgsql sends in a flow of its own: each command, or batch of commands, is an activity.
    private static async Task<int> RoundTripsAsync(Func<Task> act)
    {
        await act();
        var count = 0;
        using var source = new ActivitySource("counted");
        using var listener = new ActivityListener
        {
            ShouldListenTo = known => known.Name is "Npgsql" or "counted",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        using var root = source.StartActivity("root");
        listener.ActivityStopped = activity =>
        {
            if (activity.TraceId == root!.TraceId && activity != root)
                Interlocked.Increment(ref count);
        };
        await act();
        return count;
    }
}
