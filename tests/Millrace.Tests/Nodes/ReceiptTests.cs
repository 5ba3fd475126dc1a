using System.Net;
using Millrace.Chaos;
using Millrace.Execution;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Millrace.Values;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Tests.Nodes;

/// <summary>The effects of SQL nodes happen exactly once, and what that costs is cleared away.</summary>
public sealed class ReceiptTests : IAsyncLifetime
{
    private const string Effects = "create table effect (name text not null, number bigint generated always as identity, at timestamptz not null default clock_timestamp())";
    private static readonly (string Name, string Value)[] Quick = [("Millrace__Pump__Lease", "00:00:01"), ("Millrace__Pump__PollInterval", "00:00:00.050")];
    private string connection = "";
    private string other = "";

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        other = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(connection, Effects);
        await TestCluster.ExecuteAsync(other, Effects);
    }

    public async Task DisposeAsync()
    {
        await TestCluster.DropDatabaseAsync(connection);
        await TestCluster.DropDatabaseAsync(other);
    }

    public static TheoryData<string, bool> Deaths()
    {
        var deaths = new TheoryData<string, bool>();
        foreach (var place in FaultPoint.All)
        {
            deaths.Add(place, false);
            if (place.StartsWith("sql", StringComparison.Ordinal))
                deaths.Add(place, true);
        }

        foreach (var place in new[] { FaultPoint.SqlCommitted, FaultPoint.CheckpointStoring })
            deaths.Add($"{place}:2", true);
        return deaths;
    }

    [Theory]
    [MemberData(nameof(Deaths))]
    public async Task A_server_that_dies_leaves_each_effect_once_and_the_first_result(string place, bool elsewhere)
    {
        const string key = "mr_a_key_for_servers_that_are_killed";
        (string Name, string Value)[] settings = elsewhere ? [.. Quick, ("Millrace__Connections__other", other)] : Quick;
        var where = elsewhere ? ""","connection":"other" """ : "";
        var definition = $$$"""
            {"do":[
              {"sql":{"query":"insert into effect (name) values ({{ instance.id }} || '/1') returning number, at"{{{where}}}},"as":"first"},
              {"sql":{"query":"insert into effect (name) values ({{ first.number }} || '/' || {{ first.at }})"{{{where}}}},"as":"second"},
              {"sql":{"query":"select count(*) as n from effect"{{{where}}}},"as":"count"},
              {"return":["{{ first.number }}","{{ first.at }}","{{ second.row_count }}","{{ count.n }}"]}]}
            """;
        await using var dying = ServerProcess.StartOn(connection, key, [.. settings, ("MILLRACE_FAULT", place)]);
        using (var client = await dying.ClientAsync(key))
        {
            using var body = new StringContent($$"""{"definition":{{definition}}}""", System.Text.Encoding.UTF8, "application/json");
            using var request = new HttpRequestMessage(HttpMethod.Post, "instances") { Content = body, Headers = { { "Idempotency-Key", "death" } } };
            try
            {
                using var response = await client.SendAsync(request);
                Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
            }
            catch (HttpRequestException)
            {
                // It died before it could answer.
            }
        }

        Assert.Equal(137, await dying.ExitAsync());
        await using var living = await TestServer.StartAsync(
            connection, [("ApiKey", key), .. settings.Select(setting => (setting.Name["Millrace__".Length..].Replace("__", ":", StringComparison.Ordinal), setting.Value))]);
        var again = await living.PostAsync("instances", $$"""{"definition":{{definition}}}""", ("Idempotency-Key", "death"), ("Prefer", "wait=60"));
        Assert.Equal(HttpStatusCode.OK, again.Status);
        var instance = again.Json;
        Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());

        var database = elsewhere ? other : connection;
        Assert.Equal(2, await TestCluster.ScalarAsync<long>(database, "select count(*) from effect"));
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.instance"));
        var first = await TestCluster.ScalarAsync<long>(database, "select number from effect where name like '%/1'");
        var result = instance.GetProperty("result");
        Assert.Equal((first, 1, 2), (result[0].GetInt64(), result[2].GetInt32(), result[3].GetInt32()));
        Assert.Equal($"{first}/{result[1].GetString()}", await TestCluster.ScalarAsync<string>(database, "select name from effect where name not like '%-%/1'"));
        Assert.Equal(2, await ReceiptsAsync(database));
    }

    [Fact]
    public async Task Only_statements_that_write_have_a_receipt()
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, "create function sneaky() returns int language sql as $$ insert into effect (name) values ('sneaky'); select 1 $$");
        foreach (var sql in new[] { "select 1", "select * from effect", "update effect set name = 'x' where false", "set work_mem = '8MB'", "vacuum effect", "values (1)" })
        {
            for (var i = 0; i < 3; i++)
                Assert.Equal("completed", (await server.RunNodesAsync($$"""{"sql":"{{sql}}"}""")).GetProperty("status").GetString());
        }

        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":{"query":"select count(*) from effect","readOnly":true}}""")).GetProperty("status").GetString());
        Assert.False(await TestCluster.ScalarAsync<bool>(connection, "select to_regclass('millrace.millrace_receipt') is not null"));
        foreach (var sql in new[] { "select sneaky()", "insert into effect (name) values ('x')", "select * from effect for update", "create table made (a int)" })
            Assert.Equal("completed", (await server.RunNodesAsync($$"""{"sql":"{{sql}}"}""")).GetProperty("status").GetString());
        Assert.Equal(4, await ReceiptsAsync(connection));
    }

    [Fact]
    public async Task A_statement_that_only_read_so_far_and_writes_now_writes_once()
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, "create table switch (is_on bool); insert into switch values (false)");
        await TestCluster.ExecuteAsync(connection, """
            create function sometimes() returns bigint language plpgsql as $$
            begin if (select is_on from switch) then insert into effect (name) values ('now'); end if; return (select count(*) from effect); end $$
            """);
        const string node = """{"sql":"select sometimes() as n"}""";
        for (var i = 0; i < 3; i++)
            await server.RunNodesAsync(node);
        await TestCluster.ExecuteAsync(connection, "update switch set is_on = true");
        for (var i = 1; i <= 3; i++)
        {
            var instance = await server.RunNodesAsync(node);
            Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());
            Assert.Equal(i, instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetInt32());
        }
        Assert.Equal(3, await ReceiptsAsync(connection));
    }

    [Theory]
    [InlineData("call sometimes({{ input }}::integer)")]
    [InlineData("do $$ begin if (select is_on from switch) then insert into effect (name) values ('a'); commit; insert into effect (name) values ('b'); end if; end $$")]
    public async Task One_that_commits_in_its_middle_only_sometimes_is_executed_once_each_time(string statement)
    {
        await TestCluster.ExecuteAsync(connection, """
            create procedure sometimes(x integer) language plpgsql as $$
            begin if x > 0 then insert into effect (name) values ('a'); commit; insert into effect (name) values ('b'); end if; end $$
            """);
        await TestCluster.ExecuteAsync(connection, "create table switch (is_on bool); insert into switch values (false)");
        await using var server = await TestServer.StartAsync(connection);
        foreach (var input in new[] { "0", "0", "1", "0" })
        {
            await TestCluster.ExecuteAsync(connection, $"update switch set is_on = {input} > 0");
            var instance = await server.RunAsync($$"""{"do":[{"sql":"{{statement}}"}]}""", input);
            Assert.True(instance.GetProperty("status").GetString() is "completed", instance.ToString());
        }

        Assert.Equal("a b", await TestCluster.ScalarAsync<string>(connection, "select string_agg(name, ' ' order by number) from effect"));
    }

    [Fact]
    public async Task An_execution_that_is_done_already_returns_its_first_result()
    {
        await using var server = await TestServer.StartAsync(connection);
        const string query = "insert into effect (name) values ('once') returning number";
        var instance = await server.RunNodesAsync($$"""{"sql":"{{query}}"}""");

        // The same execution again, as a worker would that was stopped before it and wakes now: one that knows that it may
        // come late, and one that does not.
        var organisation = await TestCluster.ScalarAsync<Guid>(connection, "select organisation_id from millrace.millrace_receipt");
        var node = new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" };
        foreach (var mayRepeat in new[] { true, false })
        {
            var end = await server.Service<SqlExecutor>().ExecuteAsync(
                new(instance.GetProperty("id").GetGuid(), organisation, mayRepeat), new(new("/do/0", 0, 7), node, []), CancellationToken.None);
            Assert.Equal(instance.GetProperty("result").GetRawText(), end.Result?.ToString());
        }

        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
    }

    [Fact]
    public async Task An_execution_that_fails_because_its_first_one_commits_right_now_returns_its_result()
    {
        await using var server = await TestServer.StartAsync(connection);
        await server.RunNodesAsync("""{"sql":"insert into effect (name) values ('makes the table')"}""");
        await TestCluster.ExecuteAsync(connection, "create unique index on effect (name)");

        // An earlier try of ours whose commit has not arrived yet holds the name; no receipt of it can be seen.
        var (instance, organisation) = (Guid.NewGuid(), Guid.NewGuid());
        await using var earlier = new NpgsqlConnection(connection);
        await earlier.OpenAsync();
        await using var transaction = await earlier.BeginTransactionAsync();
        await using (var insert = new NpgsqlCommand("insert into effect (name) values ('unique')", earlier))
            await insert.ExecuteNonQueryAsync();
        var seal = await server.Service<ReceiptStore>().SealAsync(CancellationToken.None);
        await using (var batch = new NpgsqlBatch(earlier))
        {
            batch.BatchCommands.Add(new Receipts("millrace.millrace_receipt").Insert(
                seal.Of(new(instance, organisation, true), new("/do/0", 0, 1)), seal, Json.FromText("\"first\"")));
            await batch.ExecuteNonQueryAsync();
        }

        const string query = "insert into effect (name) values ('unique')";
        var node = new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" };
        var late = server.Service<SqlExecutor>().ExecuteAsync(new(instance, organisation, MayRepeat: true), new(new("/do/0", 0, 1), node, []), CancellationToken.None);
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"), "it waits");
        await transaction.CommitAsync();
        Assert.Equal("\"first\"", (await late).Result?.ToString());
    }

    [Fact]
    public async Task A_server_that_knew_of_no_receipts_finds_those_that_another_one_has_written_since()
    {
        await TestCluster.ExecuteAsync(connection, "create unique index on effect (name)");
        await using var late = await TestServer.StartAsync(connection);
        await late.RunNodesAsync("""{"sql":"select 1"}""");
        await using var early = await TestServer.StartAsync(connection, ("ApiKey", late.Key));
        const string query = "insert into effect (name) values ('unique') returning number";
        var node = new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" };
        var (instance, organisation) = (Guid.NewGuid(), Guid.NewGuid());
        var ends = new List<string?>();
        foreach (var server in new[] { early, late })
        {
            var end = await server.Service<SqlExecutor>().ExecuteAsync(
                new(instance, organisation, MayRepeat: server == late), new(new("/do/0", 0, 1), node, []), CancellationToken.None);
            ends.Add(end.Result?.ToString());
        }

        Assert.NotNull(ends[0]);
        Assert.Equal(ends[0], ends[1]);
    }

    [Fact]
    public async Task Many_who_write_first_at_the_same_time_make_one_table()
    {
        for (var round = 0; round < 5; round++)
        {
            await TestCluster.ExecuteAsync(other, "drop table if exists millrace_receipt");
            await Task.WhenAll(Enumerable.Range(0, 12).Select(async _ =>
            {
                await using var session = new NpgsqlConnection(other);
                await session.OpenAsync();
                await new ReceiptTable().CreateAsync(session, CancellationToken.None);
            }));
            Assert.Equal(0, await ReceiptsAsync(other));
        }
    }

    [Fact]
    public async Task A_login_that_cannot_keep_receipts_is_told_what_to_do()
    {
        var login = await LoginAsync("limited");
        await TestCluster.ExecuteAsync(other, "grant insert, select on effect to limited; revoke create on schema public from public");
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", login));
        var error = (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('x')","connection":"other"}}""")).GetProperty("error");
        Assert.Equal("receipt", error.GetProperty("code").GetString());
        var message = error.GetProperty("message").GetString()!;
        Assert.Contains("CREATE SCHEMA millrace AUTHORIZATION limited", message, StringComparison.Ordinal);
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect"));
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":{"query":"select * from effect","connection":"other"}}""")).GetProperty("status").GetString());

        // The remedy works, at once.
        await TestCluster.ExecuteAsync(other, message[message.IndexOf("CREATE SCHEMA", StringComparison.Ordinal)..].TrimEnd('.'));
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('x')","connection":"other"}}""")).GetProperty("status").GetString());
        Assert.Equal(1, await ReceiptsAsync(other));

        // So does a table that somebody drops under way.
        await TestCluster.ExecuteAsync(other, "drop table millrace.millrace_receipt");
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('x')","connection":"other"}}""")).GetProperty("status").GetString());
        Assert.Equal(1, await ReceiptsAsync(other));
        Assert.Equal(2, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect"));
    }

    [Fact]
    public async Task A_login_of_its_own_in_the_stores_database_is_told_what_works_there()
    {
        await LoginAsync("neighbour");
        await TestCluster.ExecuteAsync(connection, "grant insert, select on effect to neighbour; revoke create on schema public from public");
        var login = new NpgsqlConnectionStringBuilder(connection) { Username = "neighbour", Password = "secret" }.ConnectionString;
        await using var server = await TestServer.StartAsync(connection, ("Connections:default", login));
        const string insert = """{"sql":"insert into effect (name) values ('x')"}""";
        var message = (await server.RunNodesAsync(insert)).GetProperty("error").GetProperty("message").GetString()!;
        await TestCluster.ExecuteAsync(connection, message[message.IndexOf("CREATE SCHEMA", StringComparison.Ordinal)..]);
        Assert.Equal("completed", (await server.RunNodesAsync(insert)).GetProperty("status").GetString());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from neighbour.millrace_receipt"));
    }

    [Fact]
    public async Task Old_receipts_go_once_their_checkpoint_is_durable()
    {
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        var done = (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('a')","connection":"other"}}""")).GetProperty("id").GetString();
        var failed = (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('b')","connection":"other"}},{"fail":"no"}""")).GetProperty("id").GetString();
        var waiting = await server.StartInstanceAsync("""{"do":[{"loop":[{"sql":{"query":"insert into effect (name) values ('c')","connection":"other"}}],"max":3},{"waitForSignal":"go"}]}""");
        await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(waiting)).GetProperty("status").GetString() == "waiting", "it waits");

        // Committed, but not told: of an instance that goes on, of one that can be retried, of another store, and of nobody's.
        await TestCluster.ExecuteAsync(other, $"""
            insert into millrace_receipt (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
            select bucket, gen_random_uuid(), organisation_id, instance_id, '/do/9', 0, 1, 'null' from millrace_receipt where instance_id in ('{waiting}', '{failed}') and iteration = 0;
            insert into millrace_receipt (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
            values (0, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '/do/0', 0, 1, 'null');
            insert into millrace_receipt (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
            select 0, gen_random_uuid(), organisation_id, gen_random_uuid(), '/do/0', 0, 1, 'null' from millrace_receipt where instance_id = '{done}'
            """);
        Assert.Equal(9, await ReceiptsAsync(other));
        var cleaner = server.Service<ReceiptCleaner>();
        Assert.Equal(0, await cleaner.RunAsync(CancellationToken.None));
        await TestCluster.ExecuteAsync(other, "update millrace_receipt set created_at = created_at - interval '61 minutes'");
        Assert.Equal(6, await cleaner.RunAsync(CancellationToken.None));
        Assert.Equal("2 /do/9, 1 /do/0", await TestCluster.ScalarAsync<string>(other, """
            select string_agg(format('%s %s', n, path), ', ' order by path desc) from (select path, count(*) as n from millrace_receipt group by path) as kept
            """));
    }

    [Fact]
    public async Task Nobody_can_write_the_receipt_of_an_execution_that_is_still_to_come()
    {
        await using var server = await TestServer.StartAsync(connection);
        await server.RunNodesAsync("""{"sql":"insert into effect (name) values ('makes the table')"}""");
        var (context, key) = (new NodeContext(Guid.NewGuid(), Guid.NewGuid(), MayRepeat: true), new NodeKey("/do/0", 0, 1));
        await TestCluster.ExecuteAsync(connection, $$"""
            insert into millrace.millrace_receipt (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
            select bucket, '{{NodeContext.EffectOf(context.Instance, key)}}', gen_random_uuid(), gen_random_uuid(), '/do/0', 0, 1, '{"rows":[{"n":"forged"}],"row_count":1}'
            from generate_series(0, 1023) as bucket
            """);
        var end = await ExecuteAsync(server, context, "insert into effect (name) values ('victim') returning name as n");
        Assert.Equal("""{"rows":[{"n":"victim"}],"row_count":1}""", end.Result?.ToString());
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect where name = 'victim'"));
    }

    [Theory]
    [InlineData("""'{"rows":[{"n":"forged"}],"row_count":1}'""")]
    [InlineData("""replace(result::text, 'once', 'twice')::json""")]
    [InlineData("'null'")]
    public async Task A_receipt_that_was_changed_is_found_out(string result)
    {
        await using var server = await TestServer.StartAsync(connection);
        var context = new NodeContext(Guid.NewGuid(), Guid.NewGuid(), MayRepeat: true);
        const string query = "insert into effect (name) values ('once') returning name as n";
        var first = await ExecuteAsync(server, context, query);
        Assert.Equal(first, await ExecuteAsync(server, context, query), static (a, b) => a.Result?.ToString() == b.Result?.ToString());
        await TestCluster.ExecuteAsync(connection, $"update millrace.millrace_receipt set result = {result}");
        Assert.Equal(("receipt", false), await ExecuteAsync(server, context, query) is { Failure: { } failure } ? (failure.Code, failure.Retryable) : default);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from effect"));
    }

    [Fact]
    public async Task Receipts_of_instances_that_an_earlier_version_may_have_are_ones_that_it_knows()
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, "update millrace.receipt_secret set keyed_since = now() + interval '1 day'");
        var (context, key) = (new NodeContext(InstanceId.New(0), Guid.NewGuid(), MayRepeat: true), new NodeKey("/do/0", 0, 1));
        const string query = "insert into effect (name) values ('once') returning name as n";
        Assert.Null((await ExecuteAsync(server, context, query)).Failure);
        Assert.Equal(
            """{"rows":[{"n":"once"}],"row_count":1}""",
            await TestCluster.ScalarAsync<string>(connection, $"select result::text from millrace.millrace_receipt where execution_id = '{NodeContext.EffectOf(context.Instance, key)}'"));
        Assert.Equal("""{"rows":[{"n":"once"}],"row_count":1}""", (await ExecuteAsync(server, context, query)).Result?.ToString());
    }

    [Theory]
    [InlineData("create unlogged table millrace_receipt (a int)")]
    [InlineData("create unlogged table millrace_receipt (created_at timestamptz, execution_id uuid)")]
    [InlineData("create view millrace_receipt as select 1 as a")]
    public async Task Something_of_the_tables_name_that_keeps_no_receipts_is_told_of(string made)
    {
        await TestCluster.ExecuteAsync(other, made);
        await using var server = await TestServer.StartAsync(connection, ("Connections:other", other));
        var error = (await server.RunNodesAsync("""{"sql":{"query":"insert into effect (name) values ('x')","connection":"other"}}""")).GetProperty("error");
        Assert.Equal("receipt", error.GetProperty("code").GetString());
        Assert.Contains("public.millrace_receipt", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(other, "select count(*) from effect"));
    }

    [Theory]
    [InlineData("25001")]
    [InlineData("2D000")]
    public async Task A_statement_that_raises_the_errors_of_transactions_itself_keeps_its_receipt(string code)
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, $"""
            create table sulks (is_on bool); insert into sulks values (true);
            create function sulky() returns int language plpgsql as $$
            begin if (select is_on from sulks) then raise exception 'sulks' using errcode = '{code}'; end if; insert into effect (name) values ('x'); return 1; end $$
            """);
        const string node = """{"sql":"select sulky()"}""";
        Assert.Equal(code, (await server.RunNodesAsync(node)).GetProperty("error").GetProperty("code").GetString());
        await TestCluster.ExecuteAsync(connection, "update sulks set is_on = false");
        Assert.Equal("completed", (await server.RunNodesAsync(node)).GetProperty("status").GetString());
        Assert.Equal(1, await ReceiptsAsync(connection));
    }

    private static Task<NodeEnd> ExecuteAsync(TestServer server, NodeContext context, string query) => server.Service<SqlExecutor>().ExecuteAsync(
        context, new(new("/do/0", 0, 1), new SqlNode(new(query, [], query), null, ReadOnly: false) { Path = "/do/0" }, []), CancellationToken.None);

    private static async Task<long> ReceiptsAsync(string database)
    {
        var schema = await TestCluster.ScalarAsync<bool>(database, "select to_regclass('millrace.millrace_receipt') is not null") ? "millrace" : "public";
        return await TestCluster.ScalarAsync<long>(database, $"select count(*) from {schema}.millrace_receipt");
    }

    private async Task<string> LoginAsync(string name)
    {
        await TestCluster.ExecuteAsync(other, $"do $$ begin create role {name} login password 'secret'; exception when duplicate_object then null; end $$");
        return new NpgsqlConnectionStringBuilder(other) { Username = name, Password = "secret" }.ConnectionString;
    }
}
