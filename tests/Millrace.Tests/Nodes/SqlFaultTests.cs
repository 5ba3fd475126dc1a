using System.Text.Json;
using Millrace.Chaos;
using Millrace.Nodes;
using Millrace.Tests.Support;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Tests.Nodes;

/// <summary>Faults of a statement's database: those that pass are ridden out, the others fail the node with their cause.</summary>
public sealed class SqlFaultTests : IAsyncLifetime
{
    private const string Insert = """{"sql":{"query":"insert into effect (name) values ('x')","connection":"other"}}""";
    private string connection = "";
    private string other = "";

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        other = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(other, "create table effect (name text)");
    }

    public async Task DisposeAsync()
    {
        await TestCluster.DropDatabaseAsync(connection);
        await TestCluster.DropDatabaseAsync(other);
    }

    [Theory]
    [InlineData("execute unheard_of", "26000", "prepared statement")]
    [InlineData("do $$ begin perform 1; raise connection_exception using message = 'a peer of mine'; end $$", "08000", "a peer of mine")]
    public async Task What_a_statement_meets_by_itself_is_told_as_that(string statement, string code, string message)
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:FaultTimeout", "00:00:01"));
        var error = (await server.RunNodesAsync($$"""{"sql":"{{statement}}"}""")).GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadlock_is_tried_again_until_both_statements_have_succeeded()
    {
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        await TestCluster.ExecuteAsync(other, """
            create table pair (id int primary key, n int); insert into pair values (1, 0), (2, 0);
            create function both_of(a int, b int) returns void language plpgsql as $$
            begin update pair set n = n + 1 where id = a; perform pg_sleep(0.3); update pair set n = n + 1 where id = b; end $$
            """);
        var instance = await server.RunNodesAsync("""
            {"join":[[{"sql":{"query":"select both_of(1, 2)","connection":"other"}}],[{"sql":{"query":"select both_of(2, 1)","connection":"other"}}]]}
            """);
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        Assert.Equal("2,2", await TestCluster.ScalarAsync<string>(other, "select string_agg(n::text, ',' order by id) from pair"));
        Assert.True(await TestCluster.ScalarAsync<bool>(
            other, "select pg_stat_force_next_flush() is not null or true") && await DeadlocksAsync() >= 1, "there was no deadlock to ride out");
    }

    [Fact]
    public async Task A_lost_connection_is_made_again_and_the_statement_counts_once()
    {
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        var id = await server.StartInstanceAsync("""
            {"do":[{"sql":{"query":"insert into effect (name) select 'x' from pg_sleep(case when exists (select from effect) then 0 else 1 end)","connection":"other"}}]}
            """);
        var cut = 0L;
        await TestServer.EventuallyAsync(
            async () => (cut += await TestCluster.ScalarAsync<long>(other, """
                select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and state = 'active' and query like 'insert into effect%'
                """)) > 0,
            "its connection is cut");
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect"));
        Assert.Single(await server.NodesAsync(id));
    }

    [Fact]
    public async Task A_connection_that_is_dead_without_a_word_is_found_out()
    {
        var target = new NpgsqlConnectionStringBuilder(other);
        await using var proxy = new FaultyProxy(target.Port);
        target.Port = proxy.Port;
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", target.ConnectionString));
        Assert.Equal("completed", (await server.RunNodesAsync(Insert)).GetProperty("status").GetString());
        proxy.FreezeAll();
        var instance = await server.RunNodesAsync(Insert);
        Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());
        Assert.Equal(2, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect"));
    }

    [Theory]
    [InlineData(600)]
    [InlineData(5000)]
    [InlineData(5001)]
    [InlineData(20000)]
    public async Task A_pooler_that_loses_its_server_in_the_middle_of_an_answer_is_no_error_of_our_own(int after)
    {
        var target = new NpgsqlConnectionStringBuilder(other);
        await using var proxy = new FaultyProxy(target.Port);
        (target.Host, target.Port, target.ApplicationName) = ("127.0.0.1", proxy.Port, $"broken off after {after}");
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", target.ConnectionString));
        await TestCluster.ExecuteAsync(connection, """
            create table own_fault (fault text);
            create function note() returns trigger language plpgsql as $$ begin insert into own_fault values (new.fault); return new; end $$;
            create trigger note after update on millrace.work for each row when (new.fault is not null) execute function note()
            """);
        proxy.BreakOffNext(after);
        Assert.Equal("completed", (await server.RunNodesAsync(Insert)).GetProperty("status").GetString());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from own_fault"));
    }

    // It would be kept with the instance, for each attempt, and sent along with lists.
    [Fact]
    public async Task What_a_database_says_at_great_length_is_cut()
    {
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        var instance = await server.RunNodesAsync("""{"sql":{"query":"select repeat('x', 20000000)::int","connection":"other"}}""");
        var error = instance.GetProperty("error");
        Assert.Equal(("failed", "22P02"), (instance.GetProperty("status").GetString(), error.GetProperty("code").GetString()));
        Assert.Equal((16 << 10) + 1, error.GetProperty("message").GetString()!.Length);
        Assert.InRange(await TestCluster.ScalarAsync<int>(connection, "select max(length(error::text)) from millrace.node_execution"), 1, 20_000);
    }

    [Fact]
    public async Task Too_many_connections_are_waited_for()
    {
        await TestCluster.ExecuteAsync(other, """
            do $$ begin create role crowded login password 'secret'; exception when duplicate_object then null; end $$;
            alter role crowded connection limit 0; grant all on effect to crowded; create schema millrace authorization crowded
            """);
        var login = new NpgsqlConnectionStringBuilder(other) { Username = "crowded", Password = "secret" }.ConnectionString;
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", login));
        var id = await server.StartInstanceAsync($$"""{"do":[{{Insert}}]}""");
        await using var log = new NpgsqlConnection(login);
        await Assert.ThrowsAsync<PostgresException>(() => log.OpenAsync());
        Assert.Equal("running", (await server.InstanceAsync(id, "1s")).GetProperty("status").GetString());
        await TestCluster.ExecuteAsync(other, "alter role crowded connection limit -1");
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_database_that_stays_away_fails_the_node_when_the_time_for_that_is_up()
    {
        var nowhere = new NpgsqlConnectionStringBuilder(other) { Port = 1 }.ConnectionString;
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", nowhere), ("Sql:FaultTimeout", "00:00:01"));
        var error = (await server.RunNodesAsync(Insert)).GetProperty("error");
        Assert.Equal("connection", error.GetProperty("code").GetString());
        Assert.Matches("after [0-9]+ tries", error.GetProperty("message").GetString());
        Assert.DoesNotContain("127.0.0.1", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Password", "wrong", "28P01")]
    [InlineData("Username", "nobody_of_that_name", "28P01")]
    [InlineData("Database", "no_such_database", "3D000")]
    public async Task A_database_that_lets_nobody_in_is_told_of_without_its_whereabouts(string keyword, string value, string code)
    {
        var refusing = new NpgsqlConnectionStringBuilder(other) { [keyword] = value };
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", refusing.ConnectionString));
        var error = (await server.RunNodesAsync(Insert)).GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        foreach (var secret in new[] { refusing.Host!, $"{refusing.Port}", refusing.Username!, refusing.Database! })
            Assert.DoesNotContain(secret, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_is_lost_where_a_receipt_may_be_is_made_again()
    {
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        await server.RunNodesAsync(Insert);
        const string query = "insert into effect (name) select 'y' from pg_sleep(case when exists (select from effect where name = 'cut') then 0 else 60 end)";
        var node = new SqlNode(new(query, [], query), "other", ReadOnly: false) { Path = "/do/0" };
        var running = server.Service<SqlExecutor>().ExecuteAsync(
            new(Guid.NewGuid(), Guid.NewGuid(), MayRepeat: true), new(new("/do/0", 0, 1), node, []), CancellationToken.None);
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(other, $"select exists (select from pg_stat_activity where {Running})"), "it runs");
        await TestCluster.ExecuteAsync(other, "insert into effect values ('cut')");
        await TestCluster.ExecuteAsync(other, $"select pg_terminate_backend(pid) from pg_stat_activity where {Running}");
        Assert.Null((await running).Failure);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect where name = 'y'"));
    }

    private const string Running = "datname = current_database() and state = 'active' and query like 'insert into effect (name) select%'";

    [Theory]
    [InlineData("insert into effect values (1, 2)", "42601")]
    [InlineData("insert into nowhere values (1)", "42P01")]
    [InlineData("select * from effect for update nowait", "55P03")]
    [InlineData("do $$ begin raise exception 'full' using errcode = '53100'; end $$", "53100", "full")]
    // Codes by which a server says that it is away, in a function's mouth.
    [InlineData("do $$ begin raise exception 'no seats left' using errcode = '53300'; end $$", "53300", "no seats left")]
    [InlineData("do $$ begin raise exception 'no seats left' using errcode = '57P01'; end $$", "57P01", "no seats left")]
    [InlineData("do $$ begin raise exception 'no seats left' using errcode = '57P03'; end $$", "57P03", "no seats left")]
    [InlineData("do $$ begin raise exception 'no seats left' using errcode = '25P03'; end $$", "25P03", "no seats left")]
    [InlineData("do $$ begin raise exception 'no seats left' using errcode = '08006'; end $$", "08006", "no seats left")]
    public async Task What_does_not_pass_by_itself_fails_at_once(string sql, string code, string message = "")
    {
        await TestCluster.ExecuteAsync(other, "insert into effect values ('held')");
        await using var holder = new NpgsqlConnection(other);
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("select * from effect for update", holder);
        await hold.ExecuteNonQueryAsync();

        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        var error = (await server.RunNodesAsync($$$"""{"sql":{"query":{{{JsonSerializer.Serialize(sql)}}},"connection":"other"}}""")).GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.DoesNotContain("tries", error.GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.Contains(message, error.GetProperty("message").GetString()!, StringComparison.Ordinal);
    }

    private Task<long> DeadlocksAsync() => TestCluster.ScalarAsync<long>(other, "select deadlocks from pg_stat_database where datname = current_database()");
}
