using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Millrace.Values;

namespace Millrace.Tests.Store;

/// <summary>A lease is what entitles a worker to write; these tests take the part of two workers.</summary>
public sealed class FencingTests : IAsyncLifetime
{
    private string connection = "";
    private TestServer server = null!;
    private ClaimStore claims = null!;
    private CheckpointStore checkpoints = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        claims = server.Service<ClaimStore>();
        checkpoints = server.Service<CheckpointStore>();
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task A_leased_instance_is_claimed_by_nobody_else_until_its_lease_runs_out()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var first = Assert.Single(await ClaimAsync(TimeSpan.FromMilliseconds(300)));
        Assert.Empty(await ClaimAsync(TimeSpan.FromMinutes(1)));

        ClaimedInstance? second = null;
        await TestServer.EventuallyAsync(async () => (second = (await ClaimAsync(TimeSpan.FromMinutes(1))).SingleOrDefault()) is not null, "the lease runs out");
        Assert.Equal((first.Id, true), (second!.Id, second.IsTakenOver));
        Assert.NotEqual(first.LeaseToken, second.LeaseToken);
        Assert.Equal(first.StartedAt, second.StartedAt);
    }

    [Fact]
    public async Task A_stale_workers_checkpoint_changes_nothing_and_tells_it_so()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var stale = Assert.Single(await ClaimAsync(TimeSpan.Zero));
        var current = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        var outcome = new Outcome(InstanceStatus.Completed, Json.FromText("\"stale\""), null);

        Assert.False((await checkpoints.StoreAsync(new ProgressCheckpoint(stale.Lease, [Execution("/do/0")]))).Held);
        Assert.False((await checkpoints.StoreAsync(new ParkCheckpoint(stale.Lease, [], null, InstanceState.Initial, Json.Null, default))).Held);
        Assert.False((await checkpoints.StoreAsync(new FinishCheckpoint(stale.Lease, [Execution("/do/0")], outcome))).Held);
        Assert.Empty(await RenewAsync(stale));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution"));

        Assert.Single(await RenewAsync(current));
        Assert.True((await checkpoints.StoreAsync(new FinishCheckpoint(current.Lease, [Execution("/do/0")], outcome with { Result = Json.FromText("1") }))).Held);
        Assert.Equal("1", (await server.InstanceAsync(current.Id.ToString())).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Of_an_old_and_a_new_lease_of_one_instance_in_one_batch_only_the_new_one_counts()
    {
        var other = Assert.Single(await StartAndClaimAsync());
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var stale = Assert.Single(await ClaimAsync(TimeSpan.Zero));
        var current = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(stale.Id, current.Id);

        Assert.Equal([current.Lease.Key], (await RenewAsync(stale, current)).Keys);
        // While the first batch waits for a row, what comes gathers into one.
        await using var holder = new Npgsql.NpgsqlConnection(connection);
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand($"select from millrace.work where id = '{other.Id}' for update", holder))
            await hold.ExecuteNonQueryAsync();
        var blocked = checkpoints.StoreAsync(new ProgressCheckpoint(other.Lease, []));
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"),
            "the first batch waits");
        var late = checkpoints.StoreAsync(new ProgressCheckpoint(stale.Lease, [Execution("/late")]));
        var good = checkpoints.StoreAsync(new ProgressCheckpoint(current.Lease, [Execution("/good")]));
        Assert.Equal((false, true), ((await late).Held, (await good).Held));
        late = checkpoints.StoreAsync(new FinishCheckpoint(stale.Lease, [], new(InstanceStatus.Completed, Json.FromText("\"late\""), null)));
        good = checkpoints.StoreAsync(new FinishCheckpoint(current.Lease, [], new(InstanceStatus.Completed, Json.FromText("\"good\""), null)));
        Assert.Equal((false, true), ((await late).Held, (await good).Held));
        await transaction.RollbackAsync();
        Assert.True((await blocked).Held);
        Assert.Equal("/good", await TestCluster.ScalarAsync<string>(connection, "select string_agg(path, ',') from millrace.node_execution"));
        Assert.Equal("good", (await server.InstanceAsync($"{current.Id}")).GetProperty("result").GetString());
    }

    [Fact]
    public async Task A_renewal_and_checkpoints_of_several_kinds_never_wait_for_each_other()
    {
        // So many that three are in one bucket.
        for (var i = 0; i < 17; i++)
            await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claimed = (await ClaimAsync(TimeSpan.FromMinutes(1), limit: 17)).GroupBy(claim => InstanceId.BucketOf(claim.Id)).MaxBy(bucket => bucket.Count())!.OrderBy(claim => claim.Id).ToList();
        await using var first = await HoldAsync(claimed[2]);
        await using var second = await HoldAsync(claimed[1]);
        var others = checkpoints.StoreAsync(new ProgressCheckpoint(claimed[2].Lease, []));
        await WaitersAsync(1);
        // While the first batch waits, these two gather into one: its statements come to the second row before the first one.
        var ends = checkpoints.StoreAsync(new FinishCheckpoint(claimed[0].Lease, [], new(InstanceStatus.Completed, Json.FromText("1"), null)));
        var goes = checkpoints.StoreAsync(new ProgressCheckpoint(claimed[1].Lease, []));
        await WaitersAsync(2);
        // What somebody has locked is left out, and is not lost.
        var (renewal, renewed) = await RenewAsync(TimeSpan.FromSeconds(8), claimed);
        Assert.Equal(claimed.Take(3).Select(claim => claim.Lease.Key).ToHashSet(), renewal.Locked);
        Assert.Empty(renewal.Lost);
        Assert.Equal(claimed.Skip(3).Select(claim => claim.Lease.Key).ToHashSet(), renewed.Keys.ToHashSet());
        await WaitersAsync(2);
        await second.DisposeAsync();
        Assert.True((await goes).Held && (await ends).Held);
        Assert.Equal([claimed[1].Lease.Key], (await RenewAsync(claimed[0], claimed[1])).Keys);
        await first.DisposeAsync();
        Assert.True((await others).Held);
    }

    [Fact]
    public async Task A_claim_whose_answer_was_under_way_for_longer_than_its_lease_is_asked_for_before_anything_begins()
    {
        var claim = Assert.Single(await StartAndClaimAsync());
        var (time, clock) = (server.Service<TimeProvider>(), server.Service<StoreClock>());
        var settings = new PumpOptions { Lease = TimeSpan.FromSeconds(30) };
        using var leases = new LeaseKeeper(server.Service<Database>(), claims, server.Service<WorkerName>(), settings, time, clock, NullLogger.Instance);
        Assert.True(leases.KeptUntil > clock.Now);
        LeaseTime Ago(TimeSpan age) => new(time.GetTimestamp() - (long)(age.TotalSeconds * time.TimestampFrequency), clock.Now - age);
        var run = new InstanceRun(claim, Ago(TimeSpan.FromSeconds(40)), server.Service<RunServices>(), leases.CatchUpAsync);
        leases.Add(run);
        // Nothing of its own may be claimed, for this one may be what is found.
        Assert.True(leases.KeptUntil < clock.Now);
        Assert.True(run.IsOverdue);
        await leases.CatchUpAsync(CancellationToken.None);
        Assert.False(run.IsOverdue || run.IsGone);
        Assert.True(leases.KeptUntil > clock.Now);

        var late = new InstanceRun(claim with { LeaseToken = claim.LeaseToken + 1 }, Ago(TimeSpan.FromSeconds(40)), server.Service<RunServices>(), leases.CatchUpAsync);
        leases.Add(late);
        await leases.CatchUpAsync(CancellationToken.None);
        Assert.True(late.IsGone && !run.IsGone);
        // A machine that was suspended has not counted the time; the store has.
        var suspended = new InstanceRun(claim, new(time.GetTimestamp(), clock.Now.AddSeconds(-40)), server.Service<RunServices>(), leases.CatchUpAsync);
        leases.Add(suspended);
        Assert.True(suspended.IsOverdue && leases.KeptUntil < clock.Now);
        await leases.CatchUpAsync(CancellationToken.None);
        Assert.False(suspended.IsOverdue);
        // What is lost holds nobody up.
        Assert.True(leases.KeptUntil > clock.Now);
    }

    [Fact]
    public async Task A_row_that_somebody_keeps_costs_no_other_its_lease()
    {
        for (var i = 0; i < 30; i++)
            await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claimed = (await ClaimAsync(TimeSpan.FromMinutes(1), limit: 30)).GroupBy(claim => InstanceId.BucketOf(claim.Id)).MaxBy(bucket => bucket.Count())!.OrderBy(claim => claim.Id).ToList();
        await using var kept = await HoldAsync(claimed[1]);
        using var stop = new CancellationTokenSource();
        // Others are locked again and again, below and above it.
        var busy = new[] { claimed[0], claimed[2] }.Select(claim => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await using var holder = await HoldAsync(claim);
                await Task.Delay(300);
            }
        })).ToList();
        for (var i = 0; i < 3; i++)
        {
            var (renewal, renewed) = await RenewAsync(TimeSpan.FromSeconds(10), claimed);
            Assert.Equal([claimed[1].Lease.Key], renewal.Locked);
            Assert.Equal(claimed.Count - 1, renewed.Count);
        }

        await stop.CancelAsync();
        await Task.WhenAll(busy);
    }

    /// <summary>As one that goes from checkpoint to checkpoint where commits are slow.</summary>
    [Fact]
    public async Task A_row_that_is_locked_again_and_again_is_renewed_all_the_same()
    {
        var claim = Assert.Single(await StartAndClaimAsync());
        using var stop = new CancellationTokenSource();
        var busy = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await using var holder = await HoldAsync(claim);
                await Task.Delay(600);
            }
        });
        for (var i = 0; i < 5; i++)
            Assert.Equal([claim.Lease.Key], (await RenewAsync(claim)).Keys);
        await stop.CancelAsync();
        await busy;
    }

    [Fact]
    public async Task A_worker_that_takes_over_from_itself_has_lost_nobody()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claimed = new List<ClaimedInstance>();
        foreach (var worker in new[] { "a", "a", "a", "b", "b", "a" })
        {
            claimed.Add(Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: worker)));
            Assert.True(await claims.BeginAsync(claimed[^1].Lease.Key, CancellationToken.None));
        }

        Assert.Equal([1, 1, 1, 2, 2, 3], claimed.Select(claim => claim.Claims));
        Assert.Equal([false, true, true, true, true, true], claimed.Select(claim => claim.IsTakenOver));
    }

    [Fact]
    public async Task What_was_taken_over_and_not_begun_does_not_count_and_what_is_given_back_neither()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        foreach (var worker in new[] { "a", "b", "c", "d" })
            Assert.Equal(worker == "a" ? 1 : 2, Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: worker)).Claims);
        var begun = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1), worker: "e"));
        Assert.True(await claims.BeginAsync(begun.Lease.Key, CancellationToken.None));
        Assert.True(await claims.ReleaseAsync(begun.Lease.Key, TimeSpan.Zero, null));
        Assert.False(await claims.BeginAsync(begun.Lease.Key, CancellationToken.None));
        Assert.Empty(await RenewAsync(begun));
        var next = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "f"));
        Assert.Equal((1, true), (next.Claims, next.IsTakenOver));
        await claims.BeginAsync(next.Lease.Key, CancellationToken.None);
        Assert.Equal(2, Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "g")).Claims);
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("resume")]
    public async Task What_was_given_back_for_a_while_is_cancelled_and_resumed_at_once(string what)
    {
        var given = Assert.Single(await StartAndClaimAsync());
        if (what == "resume")
            await server.PostAsync($"instances/{given.Id}/suspend", null);
        Assert.True(await claims.ReleaseAsync(given.Lease.Key, TimeSpan.FromHours(1), Json.FromText("""{"message":"m"}""")));
        Assert.Empty(await ClaimAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(System.Net.HttpStatusCode.Accepted, (await server.PostAsync($"instances/{given.Id}/{what}", null)).Status);
        Assert.Equal(given.Id, Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1))).Id);
    }

    [Fact]
    public async Task A_worker_that_was_only_late_was_not_lost()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var late = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "late"));
        var second = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "second"));
        Assert.Equal(2, second.Claims);
        await claims.BeginAsync(second.Lease.Key, CancellationToken.None);
        await claims.SurvivedAsync(InstanceId.BucketOf(late.Id), [late.Id], "late", CancellationToken.None);
        var third = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "third"));
        Assert.Equal(2, third.Claims);
        await claims.BeginAsync(third.Lease.Key, CancellationToken.None);
        // What it has taken over from itself did not count, so that there is nothing to take back.
        await claims.SurvivedAsync(InstanceId.BucketOf(late.Id), [late.Id], "third", CancellationToken.None);
        Assert.Equal(3, Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "fourth")).Claims);
    }

    [Theory]
    [InlineData("suspend", "resume")]
    [InlineData("signals/s")]
    [InlineData("cancel")]
    public async Task A_park_that_was_decided_before_a_request_makes_its_instance_ready_at_once(params string[] requests)
    {
        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claim = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        foreach (var request in requests)
            Assert.Equal(System.Net.HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/{request}", null)).Status);
        var parked = await checkpoints.StoreAsync(new ParkCheckpoint(claim.Lease, [], null, InstanceState.Initial, Json.FromText("[]"), claim.Standing));
        Assert.Equal((true, true), (parked.Held, parked.Ready));
    }

    [Fact]
    public async Task A_checkpoint_that_is_stored_twice_counts_once()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claim = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        for (var i = 0; i < 2; i++)
            Assert.True((await checkpoints.StoreAsync(new ProgressCheckpoint(claim.Lease, [Execution("/do/0")]))).Held);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution"));
    }

    [Fact]
    public async Task A_request_to_cancel_comes_back_with_checkpoints_and_renewals_and_keeps_a_park_awake()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claim = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(System.Net.HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/cancel", """{"reason":"r"}""")).Status);

        Assert.Equal((true, "r"), Assert.Single(await RenewAsync(claim)).Value is var renewed ? (renewed.CancelRequested, renewed.CancelReason) : default);
        var progress = await checkpoints.StoreAsync(new ProgressCheckpoint(claim.Lease, [Execution("/do/0")]));
        Assert.Equal((true, "r"), (progress.Standing!.Value.CancelRequested, progress.Standing.Value.CancelReason));
        var parked = await checkpoints.StoreAsync(new ParkCheckpoint(
            claim.Lease, [], DateTimeOffset.UtcNow.AddHours(1), InstanceState.Initial, Json.FromText("[]"), default));
        Assert.Equal((true, true), (parked.Held, parked.Ready));
        Assert.True(Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1))).Standing.CancelRequested);
    }

    [Fact]
    public async Task An_instance_that_is_handed_back_is_ready_at_once_and_its_claim_does_not_count()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var claim = Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1)));
        var answer = await checkpoints.StoreAsync(new ParkCheckpoint(
            claim.Lease, [], DateTimeOffset.UnixEpoch, InstanceState.Initial, Json.FromText("[]"), default));
        Assert.True(answer.Ready);
        Assert.Equal("pending", (await server.InstanceAsync(claim.Id.ToString())).GetProperty("status").GetString());
        Assert.Equal(1, Assert.Single(await ClaimAsync(TimeSpan.FromMinutes(1))).Claims);
    }

    [Fact]
    public async Task Two_claimers_never_get_the_same_instance()
    {
        var items = string.Join(',', Enumerable.Repeat("""{"definition":{"do":[{"set":{"a":1}}]}}""", 500));
        await server.PostAsync("instances/batch", $"[{items}]");
        var claimed = new List<ClaimedInstance>();
        async Task DrainAsync()
        {
            for (var empty = 0; empty < 2;)
            {
                var batch = await ClaimAsync(TimeSpan.FromMinutes(1), limit: 7);
                empty = batch.Count == 0 ? empty + 1 : 0;
                lock (claimed)
                    claimed.AddRange(batch);
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => DrainAsync()));
        Assert.Equal(500, claimed.Count);
        Assert.Equal(500, claimed.Select(claim => claim.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_worker_that_may_have_been_stopped_with_its_question_in_hand_claims_nothing_of_its_own()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var first = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "stopped"));
        var clock = server.Service<StoreClock>();
        await clock.AskAsync(server.Service<Database>(), CancellationToken.None);
        Assert.Empty(await ClaimAsync(TimeSpan.Zero, worker: "stopped", keptUntil: clock.Now.AddSeconds(-1)));
        Assert.Equal([first.Lease.Key], (await RenewAsync(first)).Keys);

        await TestCluster.ExecuteAsync(connection, "update millrace.work set leased_until = now(), ready_at = now()");
        // While it keeps all that it has, what is left of its own is nobody's: the answer to a claim was lost.
        var again = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "stopped", keptUntil: clock.Now.AddMinutes(1)));
        Assert.Equal((1, true), (again.Claims, again.IsTakenOver));
        var other = Assert.Single(await ClaimAsync(TimeSpan.Zero, worker: "other", keptUntil: clock.Now.AddSeconds(-1)));
        Assert.Equal(again.Id, other.Id);
    }

    private async Task<List<ClaimedInstance>> StartAndClaimAsync()
    {
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        return await ClaimAsync(TimeSpan.FromMinutes(1));
    }

    private async Task<List<ClaimedInstance>> ClaimAsync(TimeSpan lease, int limit = 10, string worker = "test", DateTimeOffset? keptUntil = null)
    {
        var claimed = new List<ClaimedInstance>();
        for (short bucket = 0; bucket < server.Service<Database>().Buckets; bucket++)
            claimed.AddRange(await claims.ClaimAsync(bucket, limit, lease, worker, keptUntil ?? DateTimeOffset.MaxValue, CancellationToken.None));
        return claimed;
    }

    // A session that holds the row of an instance until it is closed.
    private async Task<Npgsql.NpgsqlConnection> HoldAsync(ClaimedInstance claim)
    {
        var holder = new Npgsql.NpgsqlConnection($"{connection};Pooling=false");
        await holder.OpenAsync();
        await Migrator.ExecuteAsync(holder, "begin", CancellationToken.None);
        await Migrator.ExecuteAsync(holder, "select from millrace.work where id = $1 for update", CancellationToken.None, claim.Id);
        return holder;
    }

    private Task WaitersAsync(int count) => TestServer.EventuallyAsync(
        () => TestCluster.ScalarAsync<bool>(connection, $"select count(*) = {count} from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"),
        $"{count} wait");

    private async Task<IReadOnlyDictionary<LeaseKey, Standing>> RenewAsync(params ClaimedInstance[] claimed) => (await RenewAsync(TimeSpan.FromMinutes(1), claimed)).Renewed;

    private async Task<(Renewal Left, IReadOnlyDictionary<LeaseKey, Standing> Renewed)> RenewAsync(TimeSpan lease, IReadOnlyList<ClaimedInstance> claimed)
    {
        var renewed = new Dictionary<LeaseKey, Standing>();
        var left = await claims.RenewAsync(
            InstanceId.BucketOf(claimed[0].Id), [.. claimed.Select(claim => claim.Lease.Key)], lease, one => renewed[one.Lease] = one.Standing, CancellationToken.None);
        return (left, renewed);
    }

    private static NodeExecution Execution(string path) =>
        new(0, new(path, 0, 1), "set", NodeStatus.Completed, Json.FromText("1"), null, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow);
}
