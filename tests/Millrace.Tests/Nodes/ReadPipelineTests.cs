using System.Net;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

/// <summary>Statements that share a session are as apart from each other as if each had one of its own.</summary>
public sealed class ReadPipelineTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_that_fails_fails_alone(bool readOnly)
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        var ended = await RunAsync(server, $$$"""{"sql":{"query":"select 100 / ({{ input }}::int - 50) as n","readOnly":{{{(readOnly ? "true" : "false")}}}},"retry":{"attempts":1}}""", 300, i => i % 60);
        foreach (var (input, instance) in ended)
        {
            Assert.True(instance.GetProperty("status").GetString() == (input == 50 ? "failed" : "completed"), $"{input}: {instance}");
            if (input == 50)
                Assert.Equal("22012", instance.GetProperty("error").GetProperty("code").GetString());
            else
                Assert.Equal(100 / (input - 50), instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetInt32());
        }
    }

    [Fact]
    public async Task One_that_takes_long_keeps_nobody_waiting_for_ever_and_has_its_own_limit()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "2"));
        // Every fiftieth sleeps for longer than a shared session may take.
        var ended = await RunAsync(server, """{"sql":{"query":"select {{ input }} as n, pg_sleep(case when {{ input }} % 50 = 49 then 3 else 0 end)::text","readOnly":true}}""", 150, i => i);
        Assert.All(ended, one => Assert.Equal(one.Input, one.Instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetInt32()));
    }

    [Fact]
    public async Task One_that_writes_after_all_does_so_once_with_its_receipt()
    {
        await TestCluster.ExecuteAsync(connection, "create table effect (n int)");
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        await RunAsync(server, """{"sql":"insert into effect select {{ input }}::int where {{ input }}::int % 7 = 6 returning n"}""", 300, i => i);
        Assert.Equal(
            Enumerable.Range(0, 300).Where(i => i % 7 == 6),
            await TestCluster.ScalarAsync<int[]>(connection, "select array_agg(n order by n) from effect"));
        // Once it is known to write, it leaves receipts where it has not written, too; there must be one wherever it has.
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, """
            select count(*)
            from millrace.instance
            where (input::text)::int % 7 = 6 and not exists (select from millrace.millrace_receipt as receipt where receipt.instance_id = instance.id)
            """));
    }

    [Fact]
    public async Task One_that_reads_only_cannot_write_there()
    {
        await TestCluster.ExecuteAsync(connection, "create table effect (n int)");
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        var ended = await RunAsync(server, """{"sql":{"query":"insert into effect select {{ input }}::int where {{ input }}::int = 99 returning n","readOnly":true},"retry":{"attempts":1}}""", 100, i => i);
        Assert.All(ended, one => Assert.Equal("25006", one.Instance.GetProperty("error").GetProperty("code").GetString()));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
    }

    // The first instance runs by itself, so that its statement is known to be quick; the others come all at once.
    private static async Task<List<(int Input, JsonElement Instance)>> RunAsync(TestServer server, string node, int count, Func<int, int> input)
    {
        await server.RunNodesAsync(node, $"{input(0)}");
        var batch = string.Join(',', Enumerable.Range(0, count).Select(i => $$$"""{"definition":{"do":[{{{node}}}]},"input":{{{input(i)}}} }"""));
        var started = await server.PostAsync("instances/batch", $"[{batch}]");
        Assert.True(started.Status is HttpStatusCode.Accepted, started.Text);
        var ended = new List<(int, JsonElement)>();
        foreach (var (id, i) in started.Json.GetProperty("ids").EnumerateArray().Select((id, i) => (id.GetString()!, i)))
            ended.Add((input(i), await server.InstanceAsync(id, "60s")));
        return ended;
    }
}
