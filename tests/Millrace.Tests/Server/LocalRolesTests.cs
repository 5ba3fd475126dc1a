using Millrace.Server.LocalPostgres;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Server;

/// <summary>The local PostgreSQL's superuser sets things up; neither the store nor SQL nodes work as it.</summary>
public sealed class LocalRolesTests : IAsyncLifetime
{
    private string superuser = "";

    public async Task InitializeAsync() => superuser = await TestCluster.CreateDatabaseAsync();

    public async Task DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await TestCluster.DropDatabaseAsync(superuser);
    }

    [Fact]
    public async Task The_store_and_the_nodes_have_logins_of_their_own_which_are_no_superusers()
    {
        await LocalRoles.PrepareAsync(superuser, CancellationToken.None);
        await using var server = await TestServer.StartAsync(LocalRoles.ForStore(superuser), ("Connections:default", LocalRoles.ForNodes(superuser)));
        var instance = await server.RunNodesAsync("""
            {"sql":"create table orders (id int generated always as identity)"},{"sql":"insert into orders default values"},{"sql":"create schema own"},
            {"sql":"select current_user::text as u, (select rolsuper from pg_roles where rolname = current_user) as s from orders"}
            """);
        Assert.Equal("""{"rows":[{"u":"millrace_nodes","s":false}],"row_count":1}""", instance.GetProperty("result").GetRawText());
        Assert.Equal("millrace_store", await TestCluster.ScalarAsync<string>(superuser, "select tableowner::text from pg_tables where schemaname = 'millrace' and tablename = 'instance'"));
        Assert.False(await TestCluster.ScalarAsync<bool>(superuser, "select rolsuper from pg_roles where rolname = 'millrace_store'"));
    }

    [Theory]
    [InlineData("copy orders to program 'cat'")]
    [InlineData("copy orders from '/etc/passwd'")]
    [InlineData("select pg_read_file('/etc/passwd')")]
    [InlineData("select * from millrace.api_key")]
    [InlineData("select * from millrace.receipt_secret")]
    [InlineData("create table millrace.mine (a int)")]
    [InlineData("alter role millrace_nodes superuser")]
    [InlineData("set role millrace_store")]
    public async Task A_node_can_neither_leave_the_database_nor_see_the_store(string sql)
    {
        await LocalRoles.PrepareAsync(superuser, CancellationToken.None);
        await using var server = await TestServer.StartAsync(LocalRoles.ForStore(superuser), ("Connections:default", LocalRoles.ForNodes(superuser)));
        await server.RunNodesAsync("""{"sql":"create table orders (line text)"}""");
        var error = (await server.RunNodesAsync($$"""{"sql":"{{sql}}"}""")).GetProperty("error");
        Assert.Equal("42501", error.GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_database_of_an_earlier_version_where_all_was_the_superusers_goes_on()
    {
        // As it was: one login for everything.
        await using (var earlier = await TestServer.StartAsync(superuser))
        {
            await earlier.RunNodesAsync("""
                {"sql":"create table orders (id int generated always as identity, mood text)"},{"sql":"create schema own"},{"sql":"create table own.kept (id serial)"},
                {"sql":"create type mood as enum ('fine')"},{"sql":"create view seen as select * from orders"},{"sql":"create function f() returns int language sql as 'select 1'"},
                {"sql":"insert into orders (mood) values ('fine')"}
                """);
        }

        var receipts = await TestCluster.ScalarAsync<long>(superuser, "select count(*) from millrace.millrace_receipt");
        for (var i = 0; i < 2; i++)
        {
            await LocalRoles.PrepareAsync(superuser, CancellationToken.None);
            await using var server = await TestServer.StartAsync(LocalRoles.ForStore(superuser), ("Connections:default", LocalRoles.ForNodes(superuser)));
            var instance = await server.RunNodesAsync($$"""
                {"sql":"alter table orders add column more{{i}} int"},{"sql":"insert into orders (mood) values ('fine')"},{"sql":"insert into own.kept default values"},
                {"sql":"alter type mood add value 'better{{i}}'"},{"sql":"create or replace view seen as select * from orders"},
                {"sql":"create or replace function f() returns int language sql as 'select 2'"},{"sql":"select f() as n"}
                """);
            Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());
        }

        Assert.True(await TestCluster.ScalarAsync<long>(superuser, "select count(*) from public.millrace_receipt") > receipts, "the receipts went along");
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(superuser, """
            select count(*) from pg_class join pg_namespace on pg_namespace.oid = relnamespace
            where relowner = current_user::regrole and nspname !~ '^pg_' and nspname <> 'information_schema'
            """));
    }
}
