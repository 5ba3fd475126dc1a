using Microsoft.Extensions.DependencyInjection;
using Millrace.Chaos;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>Machines whose clocks are wrong: the database's time rules.</summary>
public sealed class ClockTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData(10)]
    [InlineData(-10)]
    public async Task A_wrong_clock_steals_no_lease_and_fires_no_timer_early(int minutes)
    {
        var release = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync((_, _) => release.Task);
        await using var right = await TestServer.StartAsync(connection, ("Pump:Lease", "00:00:02"));
        var held = await right.StartInstanceAsync($$"""{"do":[{"http":"{{receiver.Address}}"}]}""");
        await TestServer.EventuallyAsync(() => Task.FromResult(receiver.Requests.Count == 1), "it runs");

        await using var wrong = await TestServer.StartWithAsync(
            connection, services => services.AddSingleton<TimeProvider>(new WrongClock(TimeSpan.FromMinutes(minutes))),
            ("ApiKey", right.Key), ("Pump:Lease", "00:00:02"), ("Pump:HoldWait", "00:00:00.300"), ("Pump:PollInterval", "00:00:00.050"));
        await TestCluster.ExecuteAsync(connection, "create table mark (at timestamptz default clock_timestamp())");
        var before = await NowAsync();

        // Parked, held in memory, and delayed; on the wrong machine alone, since the right one would claim some of them.
        foreach (var (definition, more, least) in new[]
        {
            ("""{"do":[{"sleep":"2s"},{"sql":"insert into mark default values"}]}""", "", 2.0),
            ("""{"do":[{"sleep":"250ms"},{"sql":"insert into mark default values"}]}""", "", 0.25),
            ("""{"do":[{"sql":"insert into mark default values"}]}""", ""","delay":"2s" """, 2.0),
        })
        {
            await TestCluster.ExecuteAsync(connection, "truncate mark");
            var started = await NowAsync();
            var id = await wrong.StartInstanceAsync(definition, more);
            Assert.Equal("completed", (await wrong.InstanceAsync(id, "30s")).GetProperty("status").GetString());
            var marked = await TestCluster.ScalarAsync<DateTime>(connection, "select at from mark");
            Assert.InRange((marked - started).TotalSeconds, least, 20);
            var stamps = await wrong.NodesAsync(id);
            Assert.All(stamps, node => Assert.InRange(node.GetProperty("ended_at").GetDateTime(), before, marked.AddSeconds(20)));

            // Ids are in the order of time, whoever made them.
            Assert.InRange(
                await TestCluster.ScalarAsync<Guid>(connection, $"select '{id}'::uuid"), InstanceId.LeastAt(started.AddSeconds(-1)), InstanceId.LeastAt(marked.AddSeconds(1)));
        }

        // Nobody has taken over what the right machine holds, though its lease has been renewed several times since.
        Assert.Single(receiver.Requests);
        release.SetResult();
        Assert.Equal("completed", (await right.InstanceAsync(held, "10s")).GetProperty("status").GetString());
        Assert.Single(receiver.Requests);
    }

    private Task<DateTime> NowAsync() => TestCluster.ScalarAsync<DateTime>(connection, "select clock_timestamp()");

    private sealed class WrongClock(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
