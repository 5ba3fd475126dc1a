using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Sizing;
using Millrace.Tests.Support;

namespace Millrace.Tests.Sizing;

/// <summary>Profiles, and what is asked of a PostgreSQL in the worst case.</summary>
public sealed class SizingTests
{
    public static TheoryData<string, string> Combinations
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var host in HostSku.All)
            {
                foreach (var postgres in PostgresSku.All)
                    data.Add(host.Name, postgres.Name);
            }

            return data;
        }
    }

    [Fact]
    public void Each_PostgreSQL_has_its_profile_within_its_budget() => Assert.All(SizingProfile.Recommended, profile =>
    {
        Assert.InRange(profile.Instances, 1, profile.Postgres.Instances);
        Assert.InRange(profile.Demand(profile.Instances).Worst, 1, profile.Budget);
    });

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Any_combination_asks_for_no_more_than_its_budget(string sku, string postgres)
    {
        var profile = SizingProfile.Of(sku, postgres);
        if (profile.Instances == 0)
            Assert.True(profile.Demand(1).Worst > profile.Budget);
        else
            Assert.True(profile.Demand(profile.Instances).Worst <= profile.Budget);
    }

    [Fact]
    public void The_worst_case_counts_every_pool_of_every_process()
    {
        var settings = new MillraceOptions { ConnectionString = "Host=store;Database=a", Sizing = new() { Sku = "flex-2048", Instances = 3 } };
        (settings.Store.PoolSize, settings.Store.BatchPoolSize, settings.Store.MatchPoolSize, settings.Sql.PoolSize) = (5, 2, 1, 4);
        // 5 + 2 + 1 + (2 × 4 + 1)
        Assert.Equal((5, 17, (3 * (5 + 17)) + 17), (ConnectionDemand.Of(settings).Http, ConnectionDemand.Of(settings).Pump, ConnectionDemand.Of(settings).Worst));

        settings.Connections["reports"] = "Host=STORE;Database=b";
        settings.Connections["elsewhere"] = "Host=other;Database=b";
        Assert.Equal(26, ConnectionDemand.Of(settings).Pump);
        settings.Connections["default"] = "Host=other;Database=c";
        Assert.Equal(17, ConnectionDemand.Of(settings).Pump);

        settings.Sizing.Sku = null;
        Assert.Equal(3 * 17, ConnectionDemand.Of(settings).Worst);
    }

    [Fact]
    public async Task A_profile_sets_what_the_configuration_leaves_open()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        await using (var app = await FunctionApp.StartAsync(connection, ("Sizing:Sku", "flex-512"), ("Sizing:Postgres", "b1MS"), ("Sql:PoolSize", "2")))
        {
            var settings = app.Service<IOptions<MillraceOptions>>().Value;
            var host = HostSku.All[0];
            Assert.Equal((host.StorePool, host.BatchPool, host.MatchPool, 2), (settings.Store.PoolSize, settings.Store.BatchPoolSize, settings.Store.MatchPoolSize, settings.Sql.PoolSize));
            Assert.Equal((host.ClaimBatch, host.MaxInstances, 1), (settings.Pump.ClaimBatch, settings.Pump.MaxInstances, settings.Sizing.Instances));
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Theory]
    [InlineData("flex-1", "B1ms", "Millrace:Sizing:Sku is \"flex-1\", which is none of flex-512, flex-2048, flex-4096.")]
    [InlineData("flex-512", null, "Millrace:Sizing:Postgres is missing: one of B1ms, B2s, D2ds_v5, D4ds_v5, D8ds_v5, D16ds_v5.")]
    [InlineData(null, "B1ms", "Millrace:Sizing:Sku is missing, since Millrace:Sizing:Postgres is given: one of flex-512, flex-2048, flex-4096.")]
    public void Names_that_are_not_known_are_told_with_those_that_are(string? sku, string? postgres, string message)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Sizing:Sku", sku), new("Sizing:Postgres", postgres)]).Build();
        Assert.Equal(message, Assert.Throws<SettingException>(() => SizingProfile.Of(configuration)).Message);
    }

    [Fact]
    public async Task A_demand_that_cannot_be_met_stops_the_start_with_its_arithmetic_or_warns()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        (string, string)[] tooMuch = [("Sizing:Sku", "flex-4096"), ("Sizing:Postgres", "D16ds_v5"), ("Sizing:Instances", "60")];
        var refused = await Assert.ThrowsAsync<SettingException>(() => FunctionApp.StartAsync(connection, tooMuch));
        // The tests' cluster has 400.
        Assert.Equal(
            "Millrace:Sizing could ask for more connections than this PostgreSQL has to give: 60 instances × (10 for calls + 55 for woken drains) + 55 for the scheduled drain = 3955,"
            + " but the budget is 80 % of 397 = 317 (max_connections 400, 3 of them reserved). Set Millrace:Sizing:Instances to 4 or less, choose a larger PostgreSQL,"
            + " or set Millrace:Sizing:Enforce=false to be warned only.",
            refused.Message);
        Assert.False(await TestCluster.ScalarAsync<bool>(connection, "select to_regnamespace('millrace') is not null"));

        await (await FunctionApp.StartAsync(connection, [.. tooMuch, ("Sizing:Enforce", "false")])).DisposeAsync();
        await (await FunctionApp.StartAsync(connection, [.. tooMuch[..2], ("Sizing:Instances", "4")])).DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task The_smallest_profile_runs_everything_with_no_more_connections_than_it_says()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        await using (var app = await FunctionApp.StartAsync(connection, ("Sizing:Sku", "flex-512"), ("Sizing:Postgres", "B1ms")))
        {
            const string mixed = """{"definition":{"do":[{"join":[[{"sql":"select 1 as n"}],[{"sql":"create temp table if not exists t (a int)"}],[{"sleep":"10ms"}]]},{"forEach":[1,2,3],"spread":true,"do":[{"sql":"select 2 as n"}]}]}}""";
            await app.PostAsync("v1/instances/batch", $"[{string.Join(',', Enumerable.Repeat(mixed, 120))}]");
            var most = 0L;
            var draining = Task.WhenAll(app.PumpAsync(), app.WakeAsync("a"));
            while (!draining.IsCompleted)
            {
                most = Math.Max(most, await TestCluster.ScalarAsync<long>(connection, "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'millrace%'"));
                await Task.WhenAny(draining, Task.Delay(10));
            }

            await draining;
            Assert.Equal(480, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome where status = 4"));
            Assert.InRange(most, 3, ConnectionDemand.Of(app.Service<IOptions<MillraceOptions>>().Value).Pump);
        }

        await TestCluster.DropDatabaseAsync(connection);
    }
}
