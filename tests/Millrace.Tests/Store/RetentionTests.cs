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
        Assert.False(await HasWeekAsync(180));

        // Its facts and its history have been carried over.
        await maintenance.RunAsync(CancellationToken.None);
        await server.PostAsync($"instances/{oldAsleep}/signals/go", null);
        var woken = await server.InstanceAsync(oldAsleep, "30s");
        Assert.Equal(7, woken.GetProperty("result").GetProperty("rows")[0].GetProperty("a").GetInt32());
        Assert.Equal(3, (await server.NodesAsync(oldAsleep)).Count);

        // When nothing lives of those weeks any more, nothing is left of them.
        await maintenance.RunAsync(CancellationToken.None);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await server.GetAsync($"instances/{oldAsleep}")).Status);
        Assert.Equal("", await OldPartitionsAsync());
    }

    [Fact]
    public async Task Weeks_that_never_held_anything_go_too_and_what_lives_of_several_weeks_lies_together()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:Retention", "30.00:00:00"), ("Pump:Enabled", "false"));
        var organisation = await OrganisationAsync();
        foreach (var days in new[] { 180, 173, 166, 159 })
        {
            await MakeWeekAsync(days);
            if (days != 166)
                await FillAsync(organisation, days, living: 3, ended: 40);
        }

        await server.Service<Maintenance>().RunAsync(CancellationToken.None);
        foreach (var days in new[] { 180, 173, 166, 159 })
            Assert.False(await HasWeekAsync(days));
        Assert.Equal(9, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance join millrace.work using (bucket, id)"));
        Assert.Equal(9, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.node_execution"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.outcome"));
        Assert.Equal(Partitions.Tables.Count, (await OldPartitionsAsync()).Split(',').Length);
    }

    [Fact]
    public async Task A_week_of_which_much_lives_stays_and_what_has_ended_in_it_goes()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:Retention", "30.00:00:00"), ("Pump:Enabled", "false"));
        await MakeWeekAsync(180);
        await FillAsync(await OrganisationAsync(), 180, living: 700, ended: 1300);

        var maintenance = server.Service<Maintenance>();
        await maintenance.RunAsync(CancellationToken.None);
        Assert.True(await HasWeekAsync(180));
        Assert.Equal(700, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance join millrace.work using (bucket, id)"));
        Assert.Equal((700L, 700L, 0L), (await CountAsync("instance"), await CountAsync("node_execution"), await CountAsync("outcome")));

        await TestCluster.ExecuteAsync(connection, "delete from millrace.work where id not in (select id from millrace.work limit 20)");
        await maintenance.RunAsync(CancellationToken.None);
        Assert.False(await HasWeekAsync(180));
        Assert.Equal((20L, 20L), (await CountAsync("instance"), await CountAsync("node_execution")));
    }

    [Fact]
    public async Task Nobody_waits_behind_a_week_that_waits_for_a_long_reader()
    {
        await using var server = await TestServer.StartAsync(connection, ("Store:Retention", "30.00:00:00"), ("Pump:Enabled", "false"));
        await MakeWeekAsync(180);
        await FillAsync(await OrganisationAsync(), 180, living: 2, ended: 20);
        await using var source = NpgsqlDataSource.Create(connection);
        await using var reader = await source.OpenConnectionAsync();
        await using var reading = await reader.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("select count(*) from millrace.instance", reader))
            await command.ExecuteScalarAsync();

        var maintenance = server.Service<Maintenance>().RunAsync(CancellationToken.None);
        await TestServer.EventuallyAsync(async () => await TestCluster.ScalarAsync<bool>(
            connection, "select exists (select from pg_stat_activity where datname = current_database() and query like '%DETACH PARTITION%' and pid <> pg_backend_pid())"), "it tries");
        for (var i = 0; i < 20; i++)
            await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        Assert.True(await HasWeekAsync(180));
        await reading.CommitAsync();
        await maintenance;
        Assert.False(await HasWeekAsync(180));
    }

    [Fact]
    public async Task Signals_and_children_of_what_is_gone_for_good_are_cleared_away()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:HoldWait", "00:00:00"));
        const string fanOut = """{"do":[{"forEach":"{{ input }}","spread":true,"do":[{"fail":"no"}]}]}""";
        var (retryable, dead) = (await server.StartInstanceAsync(fanOut, ",\"input\":[1,2]"), await server.StartInstanceAsync(fanOut, ",\"input\":[1,2]"));
        foreach (var id in new[] { retryable, dead })
            await server.InstanceAsync(id, "30s");
        await TestCluster.ExecuteAsync(connection, $"update millrace.outcome set snapshot = null where id = '{dead}'");
        var waiting = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"},{"waitForSignal":"more"}]}""");
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(waiting)).GetProperty("status").GetString() == "waiting", "it waits");
        await TestCluster.ExecuteAsync(connection, $"""
            insert into millrace.signal (bucket, instance_id, organisation_id, number, name, data)
            select bucket, id, organisation_id, 7, 'late', '1' from millrace.instance where id in ('{dead}', '{retryable}', '{waiting}')
            """);

        await server.Service<Maintenance>().RunAsync(CancellationToken.None);
        Assert.Equal($"{retryable}", await TestCluster.ScalarAsync<string>(connection, "select string_agg(distinct parent_id::text, ',') from millrace.child_group"));
        Assert.Equal((2L, 2L), (await CountAsync("child"), await CountAsync("child_end")));
        Assert.Equal(2, await CountAsync("signal"));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, $"select count(*) from millrace.signal where instance_id = '{dead}'"));
    }

    [Fact]
    public async Task Definitions_that_nothing_refers_to_are_removed_and_one_that_is_used_again_is_not()
    {
        const string used = """{"do":[{"set":{"used":1}}]}""";
        await using (var first = await TestServer.StartAsync(connection, ("Pump:Enabled", "false")))
        {
            await first.PutAsync("workflows/w", """{"do":[{"set":{"named":1}}]}""");
            foreach (var definition in new[] { used, """{"do":[{"set":{"alive":1}}]}""", """{"do":[{"set":{"unused":1}}]}""" })
                await first.StartInstanceAsync(definition);
        }

        // All of it was long ago; of the instances one still lives.
        var alive = await TestCluster.ScalarAsync<Guid>(connection, """
            select id from millrace.instance where definition_hash = (select hash from millrace.definition where document::text like '%alive%')
            """);
        await TestCluster.ExecuteAsync(connection, $"delete from millrace.instance where id <> '{alive}'; delete from millrace.work where id <> '{alive}'; update millrace.definition set used_at = now() - interval '400 days'");
        await MoveBackAsync($"{alive}");

        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Retention", "30.00:00:00"));
        await server.StartInstanceAsync(used);
        await server.Service<Maintenance>().RunAsync(CancellationToken.None);
        Assert.Equal("alive,named,used", await TestCluster.ScalarAsync<string>(connection, """
            select string_agg(name, ',' order by name) from millrace.definition cross join unnest(array['alive', 'named', 'unused', 'used']) as name
            where document::text like '%"' || name || '"%'
            """));
    }

    [Fact]
    public async Task A_process_notes_now_and_then_that_it_uses_what_it_knows()
    {
        var time = new LaterTime();
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        await server.StartInstanceAsync("""{"do":[{"set":{"a":1}}]}""");
        var (organisation, hash) = (await OrganisationAsync(), await TestCluster.ScalarAsync<byte[]>(connection, "select hash from millrace.definition"));
        var store = new WorkflowStore(server.Service<Database>(), server.Service<Millrace.Faults.StorePatience>(), time);
        await store.LoadAsync(organisation, hash, CancellationToken.None);
        await TestCluster.ExecuteAsync(connection, "update millrace.definition set used_at = now() - interval '13 hours'");
        await store.LoadAsync(organisation, hash, CancellationToken.None);
        Assert.False(await IsYoungAsync());
        time.Ahead = TimeSpan.FromHours(13);
        await store.LoadAsync(organisation, hash, CancellationToken.None);
        Assert.True(await IsYoungAsync());

        Task<bool> IsYoungAsync() => TestCluster.ScalarAsync<bool>(connection, "select used_at > now() - interval '1 hour' from millrace.definition");
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

    private Task<Guid> OrganisationAsync() => TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.organisation");

    private Task<long> CountAsync(string table) => TestCluster.ScalarAsync<long>(connection, $"select count(*) from millrace.{table}");

    private Task<bool> HasWeekAsync(int daysAgo) => TestCluster.ScalarAsync<bool>(
        connection, $"select to_regclass('millrace.{Partitions.Name("outcome", Partitions.MondayOf(DateTimeOffset.UtcNow.AddDays(-daysAgo)))}') is not null");

    private Task<string> OldPartitionsAsync() => TestCluster.ScalarAsync<string>(
        connection, "select coalesce(string_agg(relname, ','), '') from pg_class where relnamespace = 'millrace'::regnamespace and relkind = 'r' and relname like '%\\_old%'");

    private async Task MakeWeekAsync(int daysAgo)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var session = await source.OpenConnectionAsync();
        foreach (var table in Partitions.Tables)
            await Partitions.CreateAsync(session, table, Partitions.MondayOf(DateTimeOffset.UtcNow.AddDays(-daysAgo)), CancellationToken.None);
    }

    // Instances of one execution each.
    private Task FillAsync(Guid organisation, int daysAgo, int living, int ended)
    {
        var prefix = InstanceId.LeastAt(DateTimeOffset.UtcNow.AddDays(-daysAgo)).ToString()[..13];
        return TestCluster.ExecuteAsync(connection, $"""
            create temp table past as select n, ('{prefix}-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id from generate_series(1, {living + ended}) as n;
            insert into millrace.instance (bucket, id, organisation_id, definition_hash, priority, variables) select 0, id, '{organisation}', '', 5, '{"{}"}' from past;
            insert into millrace.node_execution (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, started_at, ended_at, worker)
            select 0, id, '{organisation}', 0, '/do/0', 0, 1, 'set', 0, now(), now(), 'w' from past;
            insert into millrace.work (bucket, id, organisation_id, priority, ready_at) select 0, id, '{organisation}', 5, 'infinity' from past where n <= {living};
            insert into millrace.outcome (bucket, id, organisation_id, status) select 0, id, '{organisation}', 4 from past where n > {living};
            drop table past
            """);
    }

    private async Task<string> MoveBackAsync(string id)
    {
        var then = DateTimeOffset.UtcNow.AddDays(-180);
        var old = InstanceId.LeastAt(then).ToString()[..13] + id[13..];
        await MakeWeekAsync(180);
        foreach (var (table, column) in new[]
        {
            ("instance", "id"), ("instance", "parent_id"), ("work", "id"), ("outcome", "id"), ("node_execution", "instance_id"),
            ("child", "parent_id"), ("child", "child_id"), ("child_end", "parent_id"), ("child_group", "parent_id"), ("signal", "instance_id"),
        })
            await TestCluster.ExecuteAsync(connection, $"update millrace.{table} set {column} = '{old}' where {column} = '{id}'");
        return old;
    }

    private sealed class LaterTime : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Ahead.TotalSeconds * TimestampFrequency);
    }
}
