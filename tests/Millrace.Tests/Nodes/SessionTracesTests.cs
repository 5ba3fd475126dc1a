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
}
