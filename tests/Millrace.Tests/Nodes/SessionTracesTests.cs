using Millrace.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

/// <summary>What a statement leaves in its session is gone before the next one, whether or not the session was put back in between.</summary>
public sealed class SessionTracesTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Theory]
    [InlineData("select 1")]
    [InlineData("SELECT count(*), now() FROM orders WHERE id IN (1, 2) AND (paid OR total > 3)")]
    [InlineData("insert into audit.log (at, what) values ($1, lower($2)) on conflict (at) do update set what = excluded.what returning at")]
    [InlineData("with x as (select 1 as a) update t set n = x.a from x where t.id = coalesce($1, 2)")]
    [InlineData("select * from unnest($1::int[], array(select 1)) as item (a, b)")]
    public void Plain_statements_leave_nothing(string statement) => Assert.False(SessionTraces.MayLeave(statement));

    [Theory]
    [InlineData("set search_path = x")]
    [InlineData("select set_config('a.b', '1', false)")]
    [InlineData("select SET_CONFIG ('a.b', '1', false)")]
    [InlineData("select pg_catalog.set_config('a.b', '1', false)")]
    [InlineData("select \"set_config\"('a.b', '1', false)")]
    [InlineData("select set_config/* */('a.b', '1', false)")]
    [InlineData("select set_config -- x\n ('a.b', '1', false)")]
    [InlineData("select 'known as' || set_config('a.b', '1', false)")]
    [InlineData("select pg_advisory_lock(1)")]
    [InlineData("select own.function(1)")]
    [InlineData("select 1 into temp x")]
    [InlineData("create temporary table x (a int)")]
    [InlineData("insert into pg_temp.x values (1)")]
    [InlineData("do 'begin end'")]
    [InlineData("call anything()")]
    [InlineData("listen x")]
    [InlineData("with x as (select pg_advisory_lock(1)) select 1")]
    [InlineData("insert into \"pg_temp\".x values (1)")]
    [InlineData("insert into pg_temp_3.x values (1)")]
    public void In_doubt_a_statement_leaves_something(string statement) => Assert.True(SessionTraces.MayLeave(statement));

    [Fact]
    public async Task The_next_statement_of_a_session_finds_none_of_the_settings_locks_and_tables_of_the_one_before()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        await server.RunNodesAsync("""
            {"sql":"select set_config('app.who', 'me', false)"},{"sql":"select pg_advisory_lock(7)"},{"sql":"create temp table mine (a int)"},{"sql":"set statement_timeout = 1"}
            """);
        var after = await server.RunNodesAsync("""
            {"sql":"select nullif(current_setting('app.who', true), '') as who, to_regclass('mine') is null as gone, (select count(*) from pg_locks where locktype = 'advisory' and objid = 7) as locks, current_setting('statement_timeout') as timeout"}
            """);
        Assert.Equal("""{"rows":[{"who":null,"gone":true,"locks":0,"timeout":"5min"}],"row_count":1}""", after.GetProperty("result").GetRawText());
    }

    // What DISCARD ALL names, and what it does not.
    [Theory]
    [InlineData("set search_path to nowhere")]
    [InlineData("set role stranger")]
    [InlineData("set session authorization stranger")]
    [InlineData("do $$ begin execute 'set role stranger'; end $$")]
    [InlineData("set session characteristics as transaction isolation level serializable, read only")]
    [InlineData("set statement_timeout = 1")]
    [InlineData("select set_config('search_path', 'nowhere', false)")]
    [InlineData("select pg_advisory_lock(7)")]
    [InlineData("select pg_advisory_lock(7), 1 / (select 0)")]
    [InlineData("listen trace")]
    [InlineData("declare c cursor with hold for select 1")]
    [InlineData("create temporary table orders (a int)")]
    [InlineData("create temporary sequence orders")]
    [InlineData("create function pg_temp.f() returns int language sql as 'select 1'")]
    [InlineData("prepare mine as select 1")]
    [InlineData("deallocate all; prepare \"_auto0\" as select 'foreign' as n")]
    [InlineData("deallocate \"_auto0\"")]
    [InlineData("deallocate all")]
    [InlineData("discard all")]
    [InlineData("discard plans")]
    [InlineData("load '$libdir/plpgsql'")]
    public async Task Nothing_of_a_statements_session_reaches_the_next_one(string statements)
    {
        await TestCluster.ExecuteAsync(connection, """
            do $$ begin create role stranger; exception when duplicate_object then null; end $$; create table orders (a int)
            """);
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        var before = await FingerprintAsync(server);
        // Some fail, and may leave something all the same.
        foreach (var statement in statements.StartsWith("do ", StringComparison.Ordinal) ? [statements] : statements.Split("; "))
            await server.RunNodesAsync($$$"""{"sql":{{{System.Text.Json.JsonSerializer.Serialize(statement)}}}}""");
        Assert.Equal(before, await FingerprintAsync(server));
    }

    [Fact]
    public async Task What_was_given_up_in_the_middle_leaves_nothing_either()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        await TestCluster.ExecuteAsync(connection, "create table orders (a int)");
        var before = await FingerprintAsync(server);
        var error = (await server.RunNodesAsync("""{"sql":"select pg_advisory_lock(7), set_config('search_path', 'nowhere', false), pg_sleep(600)","timeout":"500ms"}""")).GetProperty("error");
        Assert.Equal("timeout", error.GetProperty("code").GetString());
        Assert.Equal(before, await FingerprintAsync(server));
    }

    [Fact]
    public async Task The_next_random_number_cannot_be_foretold()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        var numbers = new HashSet<string>();
        for (var i = 0; i < 3; i++)
        {
            await server.RunNodesAsync("""{"sql":"select setseed(0.5)"}""");
            numbers.Add((await server.RunNodesAsync("""{"sql":"/* on that session */ select random()"}""")).GetProperty("result").GetRawText());
        }

        Assert.Equal(3, numbers.Count);
    }

    [Fact]
    public async Task What_no_reset_takes_back_ends_with_its_session()
    {
        await using var server = await TestServer.StartAsync(connection, ("Sql:PoolSize", "1"));
        const string process = """{"sql":"select pg_backend_pid() as n"}""";
        var first = (await server.RunNodesAsync(process)).GetProperty("result").GetRawText();
        await server.RunNodesAsync("""{"sql":"set work_mem = '8MB'"}""");
        Assert.Equal(first, (await server.RunNodesAsync(process)).GetProperty("result").GetRawText());
        await server.RunNodesAsync("""{"sql":"load 'plpgsql'"}""");
        Assert.NotEqual(first, (await server.RunNodesAsync(process)).GetProperty("result").GetRawText());
    }

    // What sessions of both pools see, where there is one of each. The plain statements are executed so often that they are prepared.
    private static async Task<string> FingerprintAsync(TestServer server)
    {
        var seen = new List<string>();
        foreach (var plain in Enumerable.Repeat("select current_user::text as u, session_user::text as s", 5).Append("select count(*) as n from orders").Append("insert into orders values (1)"))
        {
            var instance = await server.RunNodesAsync($$"""{"sql":"{{plain}}"}""");
            seen.Add(instance.GetProperty("status").GetString() + instance.GetProperty("result").GetRawText().Replace("\"n\":1", "\"n\":0", StringComparison.Ordinal));
        }

        var all = await server.RunNodesAsync("""
            {"sql":"/* on a session that is put back */ select current_user::text as u, session_user::text as s, current_setting('search_path') as p, current_setting('statement_timeout') as t, current_setting('default_transaction_isolation') as i, current_setting('default_transaction_read_only') as r, (select count(*) from pg_prepared_statements) as prepared, (select count(*) from pg_cursors where name = 'c') as cursors, array(select pg_listening_channels()) as channels, (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks, to_regclass('orders')::oid::text as orders, to_regprocedure('pg_temp.f()') is null as f"}
            """);
        seen.Add(all.GetProperty("result").GetRawText());
        return string.Join('\n', seen);
    }
}
