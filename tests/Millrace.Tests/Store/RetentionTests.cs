using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

public sealed class RetentionTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_week_that_is_over_goes_with_all_that_has_ended_in_it_and_what_still_lives_goes_on()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:Retention", "30.00:00:00"), ("Pump:HoldWait", "00:00:00"));
        var ended = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        await server.InstanceAsync(ended, "30s");
        var failed = await server.StartInstanceAsync("""{"do":[{"forEach":"{{ input }}","spread":true,"do":[{"fail":"no"}]}]}""", ",\"input\":[1,2]");
        await server.InstanceAsync(failed, "30s");
        var asleep = await server.StartInstanceAsync("""{"do":[{"set":{"a":7}},{"waitForSignal":"go"},{"sql":"select {{ a }}::int as a"}]}""");
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(asleep)).GetProperty("status").GetString() == "waiting", "it sleeps");
        var kept = await server.StartInstanceAsync("""{"do":[{"set":{"a":2}}]}""");
        await server.InstanceAsync(kept, "30s");

        // Everything but the last one is moved half a year back, as if it had been started then.
        var (oldEnded, oldAsleep) = (await MoveBackAsync(ended), await MoveBackAsync(asleep));
        foreach (var id in await TestCluster.ScalarAsync<Guid[]>(connection, $"select array_agg(id) from millrace.instance where id = '{failed}' or parent_id = '{failed}'"))
            await MoveBackAsync($"{id}");
        Assert.Equal("completed", (await server.InstanceAsync(oldEnded)).GetProperty("status").GetString());

        var maintenance = server.Service<Maintenance>();
        await maintenance.RunAsync(CancellationToken.None);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await server.GetAsync($"instances/{oldEnded}")).Status);
        Assert.Equal("completed", (await server.InstanceAsync(kept)).GetProperty("status").GetString());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select (select count(*) from millrace.child) + (select count(*) from millrace.child_end) + (select count(*) from millrace.child_group)"));
        Assert.Equal(2, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance"));

        // Its facts and its history have been carried over.
        await maintenance.RunAsync(CancellationToken.None);
        await server.PostAsync($"instances/{oldAsleep}/signals/go", null);
        var woken = await server.InstanceAsync(oldAsleep, "30s");
        Assert.Equal(7, woken.GetProperty("result").GetProperty("rows")[0].GetProperty("a").GetInt32());
        Assert.Equal(3, (await server.NodesAsync(oldAsleep)).Count);
    }

    [Fact]
    public async Task Without_a_retention_nothing_goes()
    {
        await using var server = await TestServer.StartAsync(connection);
        var ended = await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        await server.InstanceAsync(ended, "30s");
        var old = await MoveBackAsync(ended);
        await server.Service<Maintenance>().RunAsync(CancellationToken.None);
        Assert.Equal("completed", (await server.InstanceAsync(old)).GetProperty("status").GetString());
    }

    private async Task<string> MoveBackAsync(string id)
    {
        var then = DateTimeOffset.UtcNow.AddDays(-180);
        var old = InstanceId.LeastAt(then).ToString()[..13] + id[13..];
        await using var source = NpgsqlDataSource.Create(connection);
        await using (var session = await source.OpenConnectionAsync())
        {
            foreach (var table in Partitions.Tables)
                await Partitions.CreateAsync(session, table, Partitions.MondayOf(then), CancellationToken.None);
        }

        foreach (var (table, column) in new[]
        {
            ("instance", "id"), ("instance", "parent_id"), ("work", "id"), ("outcome", "id"), ("node_execution", "instance_id"),
            ("child", "parent_id"), ("child", "child_id"), ("child_end", "parent_id"), ("child_group", "parent_id"), ("signal", "instance_id"),
        })
            await TestCluster.ExecuteAsync(connection, $"update millrace.{table} set {column} = '{old}' where {column} = '{id}'");
        return old;
    }
}
