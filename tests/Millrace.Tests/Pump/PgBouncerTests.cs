using System.Net;
using Millrace.Chaos;
using Millrace.Nodes;
using Millrace.Tests.Support;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Tests.Pump;

/// <summary>Behind a transaction pooler: no session is ours for longer than a transaction, and nothing is prepared.</summary>
public sealed class PgBouncerTests : IAsyncLifetime
{
    private string direct = "";

    public async Task InitializeAsync() => direct = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(direct);

    [PgBouncerFact]
    public async Task Everything_works_through_a_transaction_pooler()
    {
        await using var bouncer = await PgBouncer.StartAsync(direct);
        await CoreScenariosAsync(bouncer.ConnectionString);
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(direct, "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"));
    }

    [Fact]
    public Task Everything_works_with_prepared_statements_off() =>
        CoreScenariosAsync(new NpgsqlConnectionStringBuilder(direct) { MaxAutoPrepare = 0 }.ConnectionString);

    private async Task CoreScenariosAsync(string connection)
    {
        await TestCluster.ExecuteAsync(direct, "create table effect (name text, number bigint generated always as identity)");
        await using var one = await TestServer.StartAsync(connection, ("Sql:Timeout", "00:00:05"));
        await using var two = await TestServer.StartAsync(connection, ("ApiKey", one.Key), ("Sql:Timeout", "00:00:05"));

        // Branches, a loop, a sleep that parks, a receipt, a child, spread items.
        var whole = await one.RunAsync("""
            {"do":[
              {"sql":"insert into effect (name) values ('first') returning number","as":"first"},
              {"join":[[{"sql":{"query":"select 1 as n","readOnly":true}}],[{"sleep":"1500ms"},{"sql":"insert into effect (name) values ('late')"}]]},
              {"loop":[{"sql":"insert into effect (name) values ('turn')"}],"max":3},
              {"forEach":[1,2,3],"spread":true,"do":[{"sql":"insert into effect (name) values ('item')"}]},
              {"sql":"select count(*) as n from effect","as":"all"},
              {"return":["{{ all.n }}"]}]}
            """);
        Assert.Equal("[8]", whole.GetProperty("result").GetRawText());
        Assert.Equal(8, await TestCluster.ScalarAsync<long>(direct, "select count(*) from millrace.millrace_receipt"));

        // A second execution of what is done finds the receipt.
        var organisation = await TestCluster.ScalarAsync<Guid>(direct, "select organisation_id from millrace.organisation");
        const string query = "insert into effect (name) values ('first') returning number";
        var node = new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" };
        var again = await one.Service<SqlExecutor>().ExecuteAsync(
            new(whole.GetProperty("id").GetGuid(), organisation, MayRepeat: true), new(new("/do/0", 0, 1), node, []), CancellationToken.None);
        Assert.NotNull(again.Result);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(direct, "select count(*) from effect where name = 'first'"));

        // Signals, cancelling what runs on the server, time-outs of the server's own, and what cannot run in a transaction.
        var waiting = await one.StartInstanceAsync("""{"do":[{"waitForSignal":"go","as":"s"},{"return":"{{ s.data }}"}]}""");
        await TestServer.EventuallyAsync(async () => (await two.InstanceAsync(waiting)).GetProperty("status").GetString() == "waiting", "it waits");
        Assert.Equal(HttpStatusCode.Accepted, (await two.PostAsync($"instances/{waiting}/signals/go", "\"hello\"")).Status);
        Assert.Equal("\"hello\"", (await one.InstanceAsync(waiting, "20s")).GetProperty("result").GetRawText());

        var running = await one.StartInstanceAsync("""{"do":[{"sql":"select pg_sleep(4321)","timeout":"1h"}]}""");
        const string active = "select count(*) = 1 from pg_stat_activity where datname = current_database() and query like 'select pg_sleep(4321)%' and state = 'active'";
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(direct, active), "it runs");
        await two.PostAsync($"instances/{running}/cancel", """{"reason":"enough"}""");
        Assert.Equal("cancelled", (await one.InstanceAsync(running, "20s")).GetProperty("status").GetString());
        await TestServer.EventuallyAsync(async () => !await TestCluster.ScalarAsync<bool>(direct, active), "it is stopped");
        Assert.Equal("timeout", (await one.RunNodesAsync("""{"sql":"select pg_sleep(611)","timeout":"300ms"}""")).GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("completed", (await one.RunNodesAsync("""{"sql":"vacuum effect"}""")).GetProperty("status").GetString());
        Assert.Equal("25006", (await one.RunNodesAsync("""{"sql":{"query":"delete from effect","readOnly":true}}""")).GetProperty("error").GetProperty("code").GetString());

        // Many at once, on both.
        var items = string.Join(',', Enumerable.Repeat("""{"definition":{"do":[{"sql":"insert into effect (name) values ('many')"}]}}""", 300));
        Assert.Equal(HttpStatusCode.Accepted, (await one.PostAsync("instances/batch", $"[{items}]")).Status);
        await TestServer.EventuallyAsync(async () => await TestCluster.ScalarAsync<long>(direct, "select count(*) from effect where name = 'many'") == 300, "all end");
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(direct, "select count(*) from millrace.outcome where status = 5 and error ->> 'code' not in ('timeout', '25006')"));
    }
}
