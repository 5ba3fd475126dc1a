using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Millrace.Values;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>Idempotency keys: of starts, of batches, and while the number of buckets grows.</summary>
public sealed class KeyTests : IAsyncLifetime
{
    private const string Definition = """{"do":[{"set":{"a":1}}]}""";
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_batch_that_is_refused_for_its_key_starts_nothing()
    {
        await using var server = await IdleAsync(buckets: 1);
        var first = await BatchAsync(server, "K", "a", "b");
        var ids = Ids(first);

        foreach (var other in new[] { new[] { "X", "b", "c" }, ["a"], ["b", "a"], ["a", "b", "c"] })
            Assert.Equal(HttpStatusCode.UnprocessableEntity, (await BatchAsync(server, "K", other)).Status);
        var single = await server.PostAsync("instances", Item("a"), ("Idempotency-Key", "K"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, single.Status);

        Assert.Equal(ids, Ids(await BatchAsync(server, "K", "a", "b")));
        Assert.Equal(2, await CountAsync());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.idempotency_key"));
    }

    [Fact]
    public async Task Of_many_batches_under_one_key_at_once_one_is_stored()
    {
        await using var server = await IdleAsync(buckets: 4);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => i % 2 == 0 ? BatchAsync(server, "K", "a", "b", "c") : BatchAsync(server, "K", "a", "d")));

        Assert.Equal(2, answers.Select(answer => answer.Status).Distinct().Count());
        var accepted = answers.Where(answer => answer.Status is HttpStatusCode.Accepted).ToList();
        Assert.Equal(10, accepted.Count);
        Assert.Single(accepted.Select(answer => answer.Text).Distinct());
        Assert.Equal(Ids(accepted[0]).Count, await CountAsync());
    }

    [Fact]
    public async Task A_batch_that_an_earlier_version_stored_item_by_item_is_known_by_its_key()
    {
        await using var server = await IdleAsync(buckets: 1);
        var ids = new[] { InstanceId.New(0), InstanceId.New(0) };
        foreach (var (item, place) in new[] { ("a", 0), ("b", 1) })
        {
            await TestCluster.ExecuteAsync(connection, $"""
                INSERT INTO millrace.idempotency_key (bucket, organisation_id, key, fingerprint, instance_id, expires_at)
                SELECT 0, organisation_id, 'K' || chr(31) || '{place}', '\x{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Item(item))))}', '{ids[place]}', now() + interval '1 hour'
                FROM millrace.organisation
                """);
        }

        Assert.Equal(ids.Select(id => $"{id}"), Ids(await BatchAsync(server, "K", "a", "b")));
        foreach (var other in new[] { new[] { "a" }, ["a", "c"], ["a", "b", "c"] })
            Assert.Equal(HttpStatusCode.UnprocessableEntity, (await BatchAsync(server, "K", other)).Status);
        Assert.Equal(0, await CountAsync());
        Assert.Equal(HttpStatusCode.Accepted, (await BatchAsync(server, "K2", "a", "b")).Status);
    }

    /// <summary>A process of a deployment that has the new number of buckets, and one that has not, get the same key.</summary>
    [Fact]
    public async Task While_the_number_of_buckets_grows_a_key_starts_once_whoever_gets_it()
    {
        await using var before = await IdleAsync(buckets: 1);
        await using var after = await IdleAsync(buckets: 8);
        for (var i = 0; i < 20; i++)
        {
            var (one, other) = i % 2 == 0 ? (before, after) : (after, before);
            Assert.Equal(await StartAsync(one, $"key {i}"), await StartAsync(other, $"key {i}"));
            Assert.Equal(Ids(await BatchAsync(one, $"batch {i}", "a", "b")), Ids(await BatchAsync(other, $"batch {i}", "a", "b")));
        }

        var both = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => StartAsync(i % 2 == 0 ? before : after, $"race {i / 2}")));
        Assert.Equal(20, both.Distinct().Count());
        Assert.Equal(20 + 40 + 20, await CountAsync());
    }

    [Fact]
    public async Task When_the_new_number_places_keys_those_of_the_old_one_are_still_known()
    {
        await using var server = await IdleAsync(buckets: 1);
        var organisation = await OrganisationAsync();
        var before = await StartAsync(server, organisation, 1, "key");
        await GrowAsync(8, "1 second");

        Assert.Equal(before, await StartAsync(server, organisation, 8, "key"));
        var moved = await StartAsync(server, organisation, 8, "another");
        Assert.Equal(moved, await StartAsync(server, organisation, 8, "another"));
        // A process that has not got the new setting has learned of it in the meantime.
        Assert.Equal(moved, await StartAsync(server, organisation, 1, "another"));
        Assert.Equal(2, await CountAsync());
    }

    [Fact]
    public async Task A_start_that_is_under_way_in_the_old_bucket_is_waited_for()
    {
        await using var server = await IdleAsync(buckets: 1);
        var organisation = await OrganisationAsync();
        await GrowAsync(8, "1 second");
        var key = Enumerable.Range(0, 100).Select(i => $"key {i}").First(key => Key(organisation, key).BucketAmong(8) != 0);

        var id = InstanceId.New(0);
        await using var source = NpgsqlDataSource.Create(connection);
        await using var session = await source.OpenConnectionAsync();
        await using var transaction = await session.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("""
            INSERT INTO millrace.idempotency_key (bucket, organisation_id, key, fingerprint, instance_id, expires_at) VALUES (0, $1, $2, $3, $4, now() + interval '1 hour')
            """, session))
        {
            foreach (var value in new object[] { organisation, key, Key(organisation, key).Fingerprint, id })
                command.Parameters.Add(new() { Value = value });
            await command.ExecuteNonQueryAsync();
        }

        var start = StartAsync(server, organisation, 8, key);
        await TestServer.EventuallyAsync(
            async () => await TestCluster.ScalarAsync<long>(connection, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0, "it waits");
        await transaction.CommitAsync();
        Assert.Equal(id, await start);
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task A_bucket_whose_time_of_placing_keys_is_over_lets_nothing_in()
    {
        await using var server = await IdleAsync(buckets: 1);
        var organisation = await OrganisationAsync();
        var (store, starts) = Keyed(server);
        var late = new KeyRule(1, DateTimeOffset.UtcNow.AddHours(-1), []);
        var written = Assert.Single(await starts.StoreAsync(late, 0, [Resolved(organisation, "key")], store.Begin()));
        Assert.IsType<StoreBusyException>(written.Fault);

        // What is closed stays closed for whoever began before the end.
        var end = DateTimeOffset.UtcNow.AddHours(1);
        await KeyHolders.CloseAsync(server.Service<Database>().Source, 0, end, [Key(organisation, "key")], [], CancellationToken.None);
        written = Assert.Single(await starts.StoreAsync(late with { Until = end }, 0, [Resolved(organisation, "key")], store.Begin()));
        Assert.IsType<StoreBusyException>(written.Fault);
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public void Keys_are_placed_by_the_greatest_number_whose_time_has_come()
    {
        var now = DateTimeOffset.UtcNow;
        var counts = new[] { (1, now.AddDays(-9)), (8, now.AddHours(-30)), (32, now.AddHours(-1)), (64, now.AddHours(23)) };
        var rule = BucketHistory.Rule(counts, now, TimeSpan.FromHours(24));
        Assert.Equal((32, now.AddHours(23)), (rule.Buckets, rule.Until));
        Assert.Equal([(8, now.AddHours(-1))], rule.Earlier);
        Assert.Equal(64, BucketHistory.Rule(counts, now.AddHours(24), TimeSpan.FromHours(24)).Buckets);
        Assert.Equal(2, BucketHistory.Rule(counts, now, TimeSpan.FromHours(31)).Earlier.Count);
    }

    /// <summary>Some keys of a flush lie in a bucket that cannot be written: what the others' transactions have stored is not sent again.</summary>
    [Fact]
    public async Task A_flush_that_fails_for_one_bucket_stores_the_others_once()
    {
        await using var server = await IdleAsync(buckets: 4);
        await server.StartInstanceAsync(Definition);
        await TestCluster.ExecuteAsync(connection, """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = '23514'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON millrace.idempotency_key FOR EACH ROW WHEN (NEW.bucket = 2) EXECUTE FUNCTION refuse()
            """);
        var organisation = await OrganisationAsync();
        var hash = await TestCluster.ScalarAsync<byte[]>(connection, "select hash from millrace.definition");
        var store = server.Service<StartStore>();
        var results = await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
        {
            var request = Request(organisation, hash, i % 3 == 0 ? null : $"key {i}");
            try
            {
                return await store.StartAsync(request) is StartAccepted;
            }
            catch (PostgresException)
            {
                Assert.Equal(2, StartKey.Of(request).BucketAmong(4));
                return false;
            }
        }));
        Assert.InRange(results.Count(accepted => accepted), 100, 299);
        Assert.Equal(results.Count(accepted => accepted) + 1, await CountAsync());
    }

    [Fact]
    public async Task The_plans_of_keyed_starts_go_through_no_set_for_each_row_of_another()
    {
        await using var server = await IdleAsync(buckets: 1);
        await using var session = await server.Service<Database>().Source.OpenConnectionAsync();
        var keyed = await Plans.OfAsync(session, "start_keyed.sql");
        Assert.Contains("hashed SubPlan", keyed, StringComparison.Ordinal);
        foreach (var name in new[] { "start_keyed.sql", "start_batch.sql", "key_holders.sql", "key_items.sql", "key_close.sql", "ended_among.sql" })
            Assert.DoesNotMatch("Join Filter|Hash Join|Merge Join|Seq Scan|idempotency_key_expiry", await Plans.OfAsync(session, name));
    }

    private Task<TestServer> IdleAsync(int buckets) =>
        TestServer.StartAsync(connection, ("ApiKey", "mr_the_same_key_for_all_of_these_servers"), ("Pump:Enabled", "false"), ("Store:Buckets", $"{buckets}"));

    private Task GrowAsync(int buckets, string ago) => TestCluster.ExecuteAsync(connection, $"""
        UPDATE millrace.bucket_count SET since = now() - interval '1 day', keys_from = now() - interval '1 day';
        INSERT INTO millrace.bucket_count (buckets, since, keys_from) VALUES ({buckets}, now(), now() - interval '{ago}')
        """);

    // A process of its own would have learned nothing from this one, so neither does this store.
    private static async Task<Guid> StartAsync(TestServer server, Guid organisation, int buckets, string key)
    {
        var (options, patience) = (Settings(server, buckets), server.Service<StorePatience>());
        await using var database = new Database(options);
        var clock = server.Service<StoreClock>();
        var time = server.Service<TimeProvider>();
        await using var store = new StartStore(database, server.Service<PumpSignal>(), new(database, clock, time, options), clock, patience, options);
        return Assert.IsType<StartAccepted>(await store.StartAsync(Request(organisation, new byte[32], key))).Id;
    }

    private static (StorePatience Patience, KeyedStarts Starts) Keyed(TestServer server) => (server.Service<StorePatience>(), new(
        server.Service<Database>(), server.Service<PumpSignal>(), server.Service<BucketHistory>(), server.Service<StoreClock>(),
        server.Service<IOptions<MillraceOptions>>()));

    private static IOptions<MillraceOptions> Settings(TestServer server, int buckets) => Options.Create(new MillraceOptions
    {
        ConnectionString = server.Service<IOptions<MillraceOptions>>().Value.ConnectionString,
        Store = { Buckets = buckets },
    });

    private static StartRequest Request(Guid organisation, byte[] hash, string? key) =>
        new() { Organisation = organisation, DefinitionHash = hash, IdempotencyKey = key, Fingerprint = key is null ? [] : [1] };

    private static ResolvedStart Resolved(Guid organisation, string key) => new(Request(organisation, new byte[32], key), new byte[32], null, Json.FromText("{}"));

    private static StartKey Key(Guid organisation, string key) => new(organisation, key, [1]);

    private static string Item(string label) => $$$"""{"definition":{"do":[{"set":{"a":1}}]},"label":"{{{label}}}"}""";

    private static Task<Answer> BatchAsync(TestServer server, string key, params string[] labels) =>
        server.PostAsync("instances/batch", $"[{string.Join(',', labels.Select(Item))}]", ("Idempotency-Key", key));

    private static async Task<string> StartAsync(TestServer server, string key) =>
        (await server.PostAsync("instances", Item("a"), ("Idempotency-Key", key))).Json.GetProperty("id").GetString()!;

    private static List<string> Ids(Answer answer) => [.. answer.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!)];

    private Task<Guid> OrganisationAsync() => TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.organisation");

    private Task<long> CountAsync() => TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance");
}
