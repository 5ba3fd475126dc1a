using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>Where looks for ready instances begin, and that nothing below stays there.</summary>
public sealed class LowWaterTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private readonly ManualTime time = new();
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public void While_whole_looks_cost_nothing_every_look_is_whole()
    {
        var water = Water();
        for (var look = 0; look < 10; look++)
            water.Found(Whole(water), Noon, TimeSpan.FromMilliseconds(1), claimed: 0);
    }

    [Fact]
    public void Dear_whole_looks_take_a_fiftieth_of_the_time_and_one_is_taken_after_a_third_of_a_lease()
    {
        var water = Water();
        Spend(water, TimeSpan.FromMilliseconds(101));
        time.Pass(TimeSpan.FromMilliseconds(4999));
        Assert.False(water.Next(0).IsWhole);
        time.Pass(TimeSpan.FromMilliseconds(1));
        Spend(water, TimeSpan.FromSeconds(2));
        time.Pass(TimeSpan.FromMilliseconds(9999));
        Assert.False(water.Next(0).IsWhole);
        time.Pass(TimeSpan.FromMilliseconds(1));
        Assert.True(water.Next(0).IsWhole);
    }

    [Fact]
    public void One_slow_look_among_quick_ones_changes_nothing()
    {
        var water = Water();
        foreach (var milliseconds in new[] { 1, 1, 900, 1, 1 })
            water.Found(Whole(water), Noon, TimeSpan.FromMilliseconds(milliseconds), claimed: 0);
        Whole(water);
    }

    [Fact]
    public void The_next_look_begins_a_little_before_the_end_of_the_last_one()
    {
        var water = Water();
        Spend(water, TimeSpan.FromSeconds(1));
        Assert.All(water.Next(0).Begin, begin => Assert.InRange(Noon.UtcDateTime - begin, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_look_that_had_enough_says_nothing_of_what_lies_behind()
    {
        var water = Water();
        Spend(water, TimeSpan.FromSeconds(1));
        water.Found(water.Next(0), Noon.AddHours(1), TimeSpan.Zero, claimed: 100, (5, Noon.AddMinutes(30)));
        var begin = water.Next(0).Begin.Select(at => Math.Round((at - Noon.UtcDateTime).TotalHours, 1)).ToList();
        Assert.Equal([1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0], begin);
    }

    [Fact]
    public void What_a_whole_look_saw_and_left_is_looked_for_everywhere()
    {
        var water = Water();
        Spend(water, TimeSpan.FromSeconds(1));
        time.Pass(TimeSpan.FromSeconds(10));
        water.Left(Whole(water), TimeSpan.FromSeconds(1));
        Whole(water);
    }

    [Fact]
    public async Task What_becomes_ready_below_the_mark_is_claimed_within_a_third_of_a_lease()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Pump:Lease", "00:00:03"), ("Store:Buckets", "1"));
        var claims = server.Service<ClaimStore>();
        // As beside an old snapshot.
        var water = server.Service<LowWater>();
        for (var look = 0; look < 3; look++)
            water.Found(water.Next(0), DateTimeOffset.UtcNow, TimeSpan.FromMilliseconds(500), claimed: 0);

        var id = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""", ""","run_at":"2020-01-01T00:00:00Z" """);
        await TestServer.EventuallyAsync(async () => (await ClaimAsync()).Any(claimed => claimed.Id == Guid.Parse(id)), "a start in the past is claimed");
        await TestServer.EventuallyAsync(async () => (await ClaimAsync()).Any(claimed => claimed.Id == Guid.Parse(id)), "its lease runs out, and it is taken over");

        Task<IReadOnlyList<ClaimedInstance>> ClaimAsync() => claims.ClaimAsync(0, 10, TimeSpan.FromMilliseconds(100), "test", DateTimeOffset.MaxValue, CancellationToken.None);
    }

    [Fact]
    public async Task A_server_runs_what_starts_below_the_mark()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Lease", "00:00:03"), ("Store:Buckets", "1"));
        var water = server.Service<LowWater>();
        for (var look = 0; look < 3; look++)
            water.Found(water.Next(0), DateTimeOffset.UtcNow.AddHours(1), TimeSpan.FromMilliseconds(500), claimed: 0);
        Assert.Equal("completed", (await server.RunNodesAsync("""{"set":{"a":1}}""")).GetProperty("status").GetString());
    }

    private LowWater Water() => new(Options.Create(new MillraceOptions()), time);

    // Three looks in a row that cost so much.
    private void Spend(LowWater water, TimeSpan cost)
    {
        for (var look = 0; look < 3; look++)
        {
            water.Found(Whole(water), Noon, cost, claimed: 0);
            if (look < 2)
                time.Pass(TimeSpan.FromSeconds(10));
        }
    }

    private static LowWater.Look Whole(LowWater water)
    {
        var look = water.Next(0);
        Assert.True(look.IsWhole);
        return look;
    }

    private sealed class ManualTime : TimeProvider
    {
        private long now = TimeSpan.TicksPerHour;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => now;

        public void Pass(TimeSpan span) => now += span.Ticks;
    }
}
