using Millrace.Nodes;
using Millrace.Tests.Support;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Tests.Nodes;

/// <summary>The places of a connection are shared out: slow statements leave some to others.</summary>
public sealed class SqlPlacesTests : IAsyncLifetime
{
    private const string Waits = """{"sql":"select pg_advisory_xact_lock(27)"}""";
    private string connection = "";
    private NpgsqlConnection holder = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        // Closed for good: a session that goes back into a pool keeps its locks until somebody takes it out.
        holder = new($"{connection};Pooling=false");
        await holder.OpenAsync();
        await using var hold = new NpgsqlCommand("select pg_advisory_lock(27)", holder);
        await hold.ExecuteNonQueryAsync();
    }

    public async Task DisposeAsync()
    {
        await holder.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task Slow_statements_of_one_organisation_leave_a_place_to_another()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "4"));
        var slow = new List<string>();
        for (var i = 0; i < 3; i++)
            slow.Add(await server.StartInstanceAsync($$"""{"do":[{"join":[[{{Waits}}],[{{Waits}}],[{{Waits}}],[{{Waits}}]]}]}"""));
        await WaitingAsync(3);
        const string query = "select 1 as n";
        var end = await server.Service<SqlExecutor>().ExecuteAsync(
            new(Guid.NewGuid(), Guid.NewGuid(), MayRepeat: false),
            new(new("/do/0", 0, 1), new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" }, []), CancellationToken.None);
        Assert.Equal("""{"rows":[{"n":1}],"row_count":1}""", end.Result?.ToString());

        await holder.CloseAsync();
        foreach (var id in slow)
            Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Slow_statements_of_one_instance_leave_places_to_another()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "4"));
        var slow = await server.StartInstanceAsync($$"""{"do":[{"join":[[{{Waits}}],[{{Waits}}],[{{Waits}}],[{{Waits}}]]}]}""");
        await WaitingAsync(2);
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":"select 1 as n"}""")).GetProperty("status").GetString());
        await holder.CloseAsync();
        Assert.Equal("completed", (await server.InstanceAsync(slow, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_statement_does_not_wait_for_a_place_for_ever()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"), ("Sql:PlaceTimeout", "00:00:00.100"));
        await server.StartInstanceAsync($$"""{"do":[{{Waits}}]}""");
        await WaitingAsync(1);
        var error = (await server.RunNodesAsync("""{"sql":"select 1 as n"}""")).GetProperty("error");
        Assert.Equal("busy", error.GetProperty("code").GetString());
        await holder.CloseAsync();
    }

    private Task WaitingAsync(int many) => TestServer.EventuallyAsync(
        () => TestCluster.ScalarAsync<bool>(
            connection, $"select count(*) >= {many} from pg_locks join pg_database on pg_database.oid = database where datname = current_database() and locktype = 'advisory' and objid = 27 and not granted"),
        $"{many} wait");
}
