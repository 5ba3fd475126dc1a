using Millrace.Chaos;
using Millrace.Faults;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>Npgsql works in one way only, in every process of ours: what passes here passes in the server.</summary>
public sealed class NpgsqlBehaviourTests
{
    [Fact]
    public async Task The_store_reads_what_is_committed_whatever_the_databases_default_is()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(connection, "do $$ begin execute format('alter database %I set default_transaction_isolation = serializable', current_database()); end $$");
        await using (var server = await TestServer.StartAsync(connection))
        {
            var database = server.Service<Millrace.Store.Database>();
            foreach (var pool in new[] { database.Source, database.Batches, database.Matches })
            {
                await using var command = pool.CreateCommand("show transaction_isolation");
                Assert.Equal("read committed", await command.ExecuteScalarAsync());
            }
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task A_text_with_two_statements_is_refused_here_as_it_is_in_the_server()
    {
        Assert.False(NpgsqlBehaviour.Rewrites);
        var cluster = await TestCluster.GetAsync();
        await using var source = NpgsqlDataSource.Create(cluster.ConnectionString);
        await using var command = source.CreateCommand("SELECT 1; SELECT 2");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.SyntaxError, refusal.SqlState);
    }

    [Fact]
    public async Task That_all_connections_are_in_use_is_no_lost_connection()
    {
        var cluster = await TestCluster.GetAsync();
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { MaxPoolSize = 1, Timeout = 1 }.ConnectionString);
        await using var only = await source.OpenConnectionAsync();
        var refusal = await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync());
        Assert.Equal((true, false), (StoreFaults.IsPassing(refusal), StoreFaults.IsLostConnection(refusal)));
    }

    // The driver tries another kind of encryption over a second connection, and keeps the session's means to be cancelled.
    [Fact]
    public async Task A_session_whose_first_try_to_connect_was_cut_can_be_cancelled_like_any_other()
    {
        var target = new NpgsqlConnectionStringBuilder((await TestCluster.GetAsync()).ConnectionString);
        await using var proxy = new FaultyProxy(target.Port);
        (target.Host, target.Port) = ("127.0.0.1", proxy.Port);
        await using var source = NpgsqlDataSource.Create(target.ConnectionString);
        proxy.ResetNext();
        await using var connection = await source.OpenConnectionAsync();
        Assert.True(proxy.HasReset);
        await using var command = new NpgsqlCommand("SELECT pg_sleep(60)", connection);
        using var cancel = new CancellationTokenSource();
        var sleeping = command.ExecuteNonQueryAsync(cancel.Token);
        cancel.Cancel(throwOnFirstException: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sleeping);
        await using var again = new NpgsqlCommand("SELECT 1", connection);
        Assert.Equal(1, await again.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_store_whose_first_answer_breaks_off_in_a_pooler_is_asked_again()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        var target = new NpgsqlConnectionStringBuilder(connection);
        await using var proxy = new FaultyProxy(target.Port);
        (target.Host, target.Port, target.ApplicationName) = ("127.0.0.1", proxy.Port, "broken off");
        await using (var source = NpgsqlDataSource.Create(target.ConnectionString))
        {
            proxy.BreakOffNext(5000);
            var fault = await Assert.ThrowsAnyAsync<Exception>(async () => await source.OpenConnectionAsync());
            Assert.IsNotAssignableFrom<NpgsqlException>(fault);
            Assert.True(StoreFaults.IsPassing(fault), fault.ToString());
        }

        proxy.BreakOffNext(5000);
        await using (await TestServer.StartAsync(target.ConnectionString))
        {
            // It has started.
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Theory]
    [InlineData("Millrace.Tests")]
    [InlineData("Millrace.Server")]
    [InlineData("Millrace.Chaos")]
    public void Programs_are_built_for_it(string program)
    {
        var settings = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, $"{program}.runtimeconfig.json"));
        Assert.Contains("\"Npgsql.EnableSqlRewriting\": false", settings, StringComparison.Ordinal);
    }
}
