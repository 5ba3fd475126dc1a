using System.Net;
using Millrace.Faults;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Faults;

/// <summary>Which faults of a PostgreSQL pass by themselves, and a store that takes no writes for a while.</summary>
public sealed class StoreFaultsTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData(PostgresErrorCodes.ReadOnlySqlTransaction, true, true, true)]
    [InlineData(PostgresErrorCodes.QueryCanceled, true, false, false)]
    [InlineData(PostgresErrorCodes.LockNotAvailable, true, false, false)]
    [InlineData(PostgresErrorCodes.InvalidSqlStatementName, true, false, true)]
    [InlineData(PostgresErrorCodes.AdminShutdown, true, true, true)]
    [InlineData(PostgresErrorCodes.DeadlockDetected, true, true, false)]
    // As a pooler says it.
    [InlineData("08P01", true, true, true)]
    [InlineData(PostgresErrorCodes.UniqueViolation, false, false, false)]
    [InlineData(PostgresErrorCodes.UndefinedTable, false, false, false)]
    public void A_fault_passes_for_the_store_for_a_nodes_statement_and_ends_connections(string state, bool store, bool statement, bool connections)
    {
        var fault = new PostgresException("fault", "ERROR", "ERROR", state);
        Assert.Equal((store, statement, connections), (StoreFaults.IsPassing(fault), StoreFaults.IsPassingForStatement(fault), StoreFaults.IsLostConnection(fault)));
    }

    [Fact]
    public async Task A_store_that_takes_no_writes_answers_503_and_serves_again_when_it_does()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:FaultTimeout", "00:00:00.100"));
        var waiting = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"},{"set":{"a":1}}]}""");
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(waiting)).GetProperty("status").GetString() == "waiting", "it waits");

        await SetReadOnlyAsync(connection, "on");
        const string definition = """{"do":[{"set":{"b":1}}]}""";
        foreach (var (method, path, body) in new[]
        {
            (HttpMethod.Post, "instances", $$"""{"definition":{{definition}}}"""),
            (HttpMethod.Post, "instances/batch", $$"""[{"definition":{{definition}}}]"""),
            (HttpMethod.Post, $"instances/{waiting}/signals/go", "1"),
            (HttpMethod.Put, "workflows/w", definition),
            (HttpMethod.Put, "vars/v", """{"value":1}"""),
        })
        {
            var answer = await server.SendAsync(method, path, body);
            Assert.True(answer.Status is HttpStatusCode.ServiceUnavailable && answer.Headers.RetryAfter is not null, $"{path}: {answer.Status} {answer.Text}");
        }

        Assert.Equal("waiting", (await server.InstanceAsync(waiting)).GetProperty("status").GetString());

        // The sessions that exist stay read-only: only new ones find that the store takes writes again.
        await TestCluster.ExecuteAsync((await TestCluster.GetAsync()).ConnectionString, $"ALTER DATABASE {NameOf(connection)} RESET default_transaction_read_only");
        await TestServer.EventuallyAsync(async () => (await server.PostAsync($"instances/{waiting}/signals/go", "1")).Status is HttpStatusCode.Accepted, "the signal is taken");
        Assert.Equal("completed", (await server.InstanceAsync(waiting, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_statement_waits_for_a_database_that_takes_no_writes_and_a_readOnly_one_that_writes_fails_at_once()
    {
        var other = await TestCluster.CreateDatabaseAsync();
        try
        {
            await TestCluster.ExecuteAsync(other, "CREATE TABLE t (a int)");
            await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
            await SetReadOnlyAsync(other, "on");
            var id = await server.StartInstanceAsync("""{"do":[{"sql":{"query":"insert into t values (2)","connection":"other"},"retry":{"attempts":1}}]}""");
            await TestServer.EventuallyAsync(
                async () => await TestCluster.ScalarAsync<long>(connection, $"select xact_rollback from pg_stat_database where datname = '{NameOf(other)}'") > 0, "it is refused");
            await TestCluster.ExecuteAsync(connection, $"ALTER DATABASE {NameOf(other)} RESET default_transaction_read_only");
            Assert.Equal("completed", (await server.InstanceAsync(id, "60s")).GetProperty("status").GetString());
            Assert.Equal(1, await TestCluster.ScalarAsync<long>(other, "select count(*) from t"));

            var wrong = await server.RunNodesAsync("""{"sql":{"query":"insert into t values (1)","connection":"other","readOnly":true},"retry":{"attempts":1}}""");
            Assert.Equal("25006", wrong.GetProperty("error").GetProperty("code").GetString());
        }
        finally
        {
            await TestCluster.DropDatabaseAsync(other);
        }
    }

    // As a failover does it to a pool: the sessions that are there go on, and find that they may not write.
    private static async Task SetReadOnlyAsync(string database, string value)
    {
        await TestCluster.ExecuteAsync(database, $"ALTER DATABASE {NameOf(database)} SET default_transaction_read_only = {value}");
        await TestCluster.ExecuteAsync(database, $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NameOf(database)}' AND pid <> pg_backend_pid()");
    }

    private static string NameOf(string database) => new NpgsqlConnectionStringBuilder(database).Database!;
}
