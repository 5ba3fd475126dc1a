using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

public sealed class SqlNodeTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Theory]
    [InlineData("1", "1")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("1.50::numeric", "1.50")]
    [InlineData("1e300::float8", "1e+300")]
    [InlineData("'NaN'::float8", "\"NaN\"")]
    [InlineData("'-Infinity'::numeric", "\"-Infinity\"")]
    [InlineData("true", "true")]
    [InlineData("null::int", "null")]
    [InlineData("'it''s \"q\" ü 😀'", "\"it's \\\"q\\\" ü \\uD83D\\uDE00\"")]
    [InlineData("'{\"b\":1, \"a\":[2]}'::json", "{\"b\":1, \"a\":[2]}")]
    [InlineData("'{\"b\":1}'::jsonb", "{\"b\": 1}")]
    [InlineData("timestamptz '2026-11-21 07:59:02.93+02'", "\"2026-11-21T05:59:02.93+00:00\"")]
    [InlineData("timestamp '2026-11-21 07:59:02'", "\"2026-11-21T07:59:02\"")]
    [InlineData("timestamptz 'infinity'", "\"infinity\"")]
    [InlineData("date '2026-11-21'", "\"2026-11-21\"")]
    [InlineData("uuid '01900000-0000-7000-8000-000000000001'", "\"01900000-0000-7000-8000-000000000001\"")]
    [InlineData("'\\x0102'::bytea", "\"\\\\x0102\"")]
    [InlineData("array[1,null,3]", "[1,null,3]")]
    [InlineData("array[['a','b,c'],['\"','null']]", "[[\"a\",\"b,c\"],[\"\\\"\",\"null\"]]")]
    [InlineData("'{}'::int[]", "[]")]
    [InlineData("'[0:1]={7,8}'::int[]", "[7,8]")]
    [InlineData("array['{\"a\":1}'::jsonb]", "[{\"a\": 1}]")]
    [InlineData("array[box '(1,1),(0,0)', null, box '(2,2),(1,1)']", "[\"(1,1),(0,0)\",null,\"(2,2),(1,1)\"]")]
    [InlineData("'1 2'::oidvector", "\"1 2\"")]
    [InlineData("array['{1,2}'::int[]]", "[[1,2]]")]
    [InlineData("array[1.50::numeric, null]", "[1.50,null]")]
    [InlineData("point(1,2)", "\"(1,2)\"")]
    [InlineData("row(1,'a')", "\"(1,a)\"")]
    [InlineData("int4range(1,5)", "\"[1,5)\"")]
    public async Task Values_come_as_the_json_they_are(string expression, string json)
    {
        var instance = await server.RunNodesAsync($$"""{"sql":{{JsonSerializer.Serialize($"select {expression} as v")}}}""");
        Assert.Equal($$"""{"rows":[{"v":{{json}}}],"row_count":1}""", instance.GetProperty("result").GetRawText());
    }

    [Theory]
    [InlineData("create table if not exists shapes (a int)", """{"rows":[],"row_count":0}""")]
    [InlineData("select 1 as a, 2 as a, 3 as a", """{"rows":[{"a":1,"a_2":2,"a_3":3}],"row_count":1}""")]
    [InlineData("select from generate_series(1,2)", """{"rows":[{},{}],"row_count":2}""")]
    [InlineData("select 1 where false", """{"rows":[],"row_count":0}""")]
    public async Task Every_statement_has_rows_and_a_count(string sql, string result) =>
        Assert.Equal(result, (await server.RunNodesAsync($$"""{"sql":"{{sql}}"}""")).GetProperty("result").GetRawText());

    [Fact]
    public async Task Writes_count_their_rows()
    {
        var instance = await server.RunNodesAsync("""
            {"sql":"create table counted (a int)"},
            {"sql":"insert into counted select generate_series(1,3)","as":"i"},
            {"sql":"update counted set a = a + 1 where a > 1 returning a","as":"u"},
            {"return":["{{ i.row_count }}","{{ u.row_count }}","{{ u.rows }}"]}
            """);
        Assert.Equal("""[3,2,[{"a":3},{"a":4}]]""", instance.GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Templates_keep_their_types()
    {
        var instance = await server.RunNodesAsync(
            """
            {"sql":"create table typed (i int primary key, b bigint, n numeric, t text, f boolean, j jsonb, u uuid, ts timestamptz, d date)"},
            {"sql":"insert into typed values ({{ input.i }}, {{ input.b }}, {{ input.n }}, {{ input.t }}, {{ input.f }}, {{ input.j }}, {{ input.u }}, {{ input.ts }}, {{ input.no? }})"},
            {"sql":"select * from typed where i = {{ input.i }} and t = {{ input.t }} and u = {{ input.u }} limit {{ input.one }}","as":"r"},
            {"sql":"select x.a from jsonb_to_recordset({{ input.list }}) as x(a int) order by 1 desc","as":"s"},
            {"return":{"r":"{{ r.rows[0] }}","s":"{{ s.rows }}"}}
            """,
            """{"i":7,"b":5000000000,"n":12345678901234567890.5,"t":"x'; drop table typed; --","f":true,"j":{"k":[1]},"u":"01900000-0000-7000-8000-000000000001","ts":"2026-01-01T00:00:00Z","one":1,"list":[{"a":1},{"a":2}]}""");
        Assert.Equal(
            """{"r":{"i":7,"b":5000000000,"n":12345678901234567890.5,"t":"x'; drop table typed; --","f":true,"j":{"k": [1]},"u":"01900000-0000-7000-8000-000000000001","ts":"2026-01-01T00:00:00+00:00","d":null},"s":[{"a":2},{"a":1}]}""",
            instance.GetProperty("result").GetRawText());
    }

    /// <summary>What the server logs as the statement is what the author wrote; the values come apart from it.</summary>
    [Fact]
    public async Task No_value_reaches_the_server_as_text_of_a_statement()
    {
        string[] hostile = ["'; drop table victims; --", "$1", "\\'; select 1; --", "{{ input }}", "$$ || $$", "0 or 1=1", "\u2019; delete", "\"; --", "%s", "/*"];
        // A database of its own: a server that was already connected would take some of the instances and log nothing.
        var database = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(database, "create table victims (a text); do $$ begin execute format('alter database %I set log_statement = ''all''', current_database()); end $$");
        await using var logged = await TestServer.StartAsync(database);
        var marker = $"marker_{Guid.NewGuid():N}";
        foreach (var value in hostile)
        {
            var instance = await logged.RunNodesAsync(
                $$$"""{"sql":"select {{ input.v }}::text as {{{marker}}}, {{ input.v }} || '' as b"},{"sql":"insert into victims values ({{ input.v }}) returning a"}""",
                JsonSerializer.Serialize(new { v = value }));
            Assert.Equal(value, instance.GetProperty("result").GetProperty("rows")[0].GetProperty("a").GetString());
        }

        var log = await File.ReadAllTextAsync((await TestCluster.GetAsync()).LogFile);
        var statements = log.Split('\n').Where(line => line.Contains(marker, StringComparison.Ordinal) && line.Contains("execute", StringComparison.Ordinal)).ToList();
        Assert.Equal(hostile.Length, statements.Count);
        Assert.All(statements, statement => Assert.EndsWith($": select  $1 ::text as {marker},  $2  || '' as b", statement, StringComparison.Ordinal));
        Assert.Equal(hostile.Length, await TestCluster.ScalarAsync<long>(database, "select count(*) from victims"));
    }

    [Theory]
    [InlineData("select 1; select 2", "42601")]
    [InlineData("selec 1", "42601")]
    [InlineData("select * from nowhere", "42P01")]
    [InlineData("select 1/0", "22012")]
    public async Task A_failing_statement_fails_the_instance_with_its_sqlstate(string sql, string code)
    {
        var error = (await server.RunNodesAsync($$"""{"sql":"{{sql}}"}""")).GetProperty("error");
        Assert.Equal((code, "/do/0", "sql"), (error.GetProperty("code").GetString(), error.GetProperty("path").GetString(), error.GetProperty("kind").GetString()));
    }

    [Theory]
    [InlineData("begin")]
    [InlineData("  /* a /* nested */ comment */ ROLLBACK")]
    [InlineData("-- a comment\nstart transaction")]
    [InlineData("commit and chain")]
    [InlineData("end")]
    [InlineData("savepoint s")]
    [InlineData("release s")]
    [InlineData("prepare transaction 'x'")]
    public async Task A_node_neither_begins_nor_ends_a_transaction(string sql)
    {
        var error = (await server.RunNodesAsync($$"""{"sql":{{JsonSerializer.Serialize(sql)}}}""")).GetProperty("error");
        Assert.Equal("2D000", error.GetProperty("code").GetString());
        Assert.Contains("every SQL node has a transaction of its own", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("copy (select 1) to stdout")]
    [InlineData("create table copied (a int); copy copied from stdin")]
    public async Task A_copy_from_or_to_the_client_is_refused_with_a_reason(string sql)
    {
        var instance = await server.RunNodesAsync(string.Join(',', sql.Split("; ").Select(one => $$"""{"sql":{{JsonSerializer.Serialize(one)}}}""")));
        Assert.Equal("0A000", instance.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":"select 1"}""")).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("12345678901234567890.123456789012345678901234567890")]
    [InlineData("-0.00000000000000000000000000000000000000000000001")]
    [InlineData("99999999999999999999999999999999999999999999999999")]
    [InlineData("79228162514264337593543950336")]
    [InlineData("1.2300")]
    [InlineData("9223372036854775808")]
    public async Task A_number_keeps_its_digits_from_one_node_to_the_next(string number)
    {
        var instance = await server.RunNodesAsync(
            $$$"""{"sql":"select {{{number}}} as n","as":"a"},{"sql":"select x.n from (values (0::numeric), ({{ a.n }})) as x (n) order by x.n <> 0 desc limit 1"}""");
        Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());
        Assert.Equal($$"""{"rows":[{"n":{{number}}}],"row_count":1}""", instance.GetProperty("result").GetRawText());
    }

    [Theory]
    [InlineData("1.5", "2.5")]
    [InlineData("1e-7", "1.0000001")]
    [InlineData("1e2", "101")]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567891")]
    public async Task A_number_that_is_no_integer_is_numeric(string number, string more)
    {
        var instance = await server.RunNodesAsync("""{"sql":"select {{ input.n }} + 1 as n"}""", $$"""{"n":{{number}}}""");
        Assert.Equal(more, instance.GetProperty("result").GetProperty("rows")[0].GetProperty("n").GetRawText());
    }

    [Fact]
    public async Task A_type_that_is_new_is_known_at_once()
    {
        await server.RunNodesAsync("""{"sql":"select 1 as n"},{"sql":"create domain later as int"},{"sql":"create type later_mood as enum ('fine')"}""");
        var instance = await server.RunNodesAsync("""{"sql":"select 1::later as a, array[2::later] as b, array['fine'::later_mood] as c"}""");
        Assert.Equal("""[{"a":1,"b":[2],"c":["fine"]}]""", instance.GetProperty("result").GetProperty("rows").GetRawText());
    }

    [Theory]
    [InlineData("select * from altered")]
    [InlineData("insert into altered (a) values (1) returning *")]
    public async Task A_statement_outlives_a_change_of_its_table(string sql)
    {
        await server.RunNodesAsync("""{"sql":"drop table if exists altered"},{"sql":"create table altered (a int)"},{"sql":"insert into altered values (1)"}""");
        // So often that it is prepared, on whatever sessions there are.
        await server.RunNodesAsync(string.Join(',', Enumerable.Repeat($$"""{"sql":"{{sql}}"}""", 20)));
        await server.RunNodesAsync("""{"sql":"alter table altered add column b int"}""");
        var instance = await server.RunNodesAsync(string.Join(',', Enumerable.Repeat($$"""{"sql":"{{sql}}"}""", 5)));
        Assert.Equal("completed", instance.GetProperty("status").GetString());
        Assert.Equal("""{"a":1,"b":null}""", instance.GetProperty("result").GetProperty("rows")[0].GetRawText());
    }

    [Fact]
    public async Task Values_look_the_same_whatever_the_database_or_the_role_sets()
    {
        var database = await TestCluster.CreateDatabaseAsync();
        foreach (var setting in new[] { "DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'", "extra_float_digits = -10", "TimeZone = 'Asia/Tokyo'" })
            await TestCluster.ExecuteAsync(database, $"do $$ begin execute format('alter database %I set {setting.Replace("'", "''", StringComparison.Ordinal)}', current_database()); end $$");
        await using var styled = await TestServer.StartAsync(database);
        var instance = await styled.RunNodesAsync("""
            {"sql":"select timestamptz '2026-11-21 07:59:02+02' as t, interval '1 day 02:00' as i, '\\x0102'::bytea as b, 0.1::float8 + 0.2::float8 as f, date '2026-11-21' as d"}
            """);
        Assert.Equal(
            """[{"t":"2026-11-21T05:59:02+00:00","i":"1 day 02:00:00","b":"\\x0102","f":0.30000000000000004,"d":"2026-11-21"}]""",
            instance.GetProperty("result").GetProperty("rows").GetRawText());
    }

    [Fact]
    public async Task A_time_limit_of_months_is_none()
    {
        var instance = await server.RunNodesAsync("""{"sql":"select 1 as a","timeout":"60d"},{"sql":{"query":"create table patient (a int)","timeout":"365d"}},{"sql":{"query":"vacuum patient","timeout":"25d"}}""");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_read_only_node_cannot_write()
    {
        var error = (await server.RunNodesAsync("""{"sql":{"query":"create table never (a int)","readOnly":true}}""")).GetProperty("error");
        Assert.Equal("25006", error.GetProperty("code").GetString());
        var instance = await server.RunNodesAsync("""{"sql":{"query":"select 1 as a","readOnly":true}},{"sql":"create table after_read_only (a int)"}""");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_node_that_times_out_is_cancelled_on_the_server()
    {
        var error = (await server.RunNodesAsync("""{"sql":"select pg_sleep(611)","timeout":"200ms"}""")).GetProperty("error");
        Assert.Equal("timeout", error.GetProperty("code").GetString());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(
            fixture.ConnectionString, "select count(*) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(611)' and state = 'active'"));
    }

    [Fact]
    public async Task Statements_that_cannot_run_in_a_transaction_run()
    {
        var instance = await server.RunNodesAsync("""{"sql":"create table swept (a int)"},{"sql":"vacuum swept"},{"sql":{"query":"vacuum swept","timeout":"1h"}}""");
        Assert.Equal("completed", instance.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_result_over_the_cap_fails_that_node_alone()
    {
        var error = (await server.RunNodesAsync("""{"sql":"select repeat('x', 1000) from generate_series(1, 2000)"}""")).GetProperty("error");
        Assert.Equal("result_too_large", error.GetProperty("code").GetString());
        Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":"select 1"}""")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task What_a_statement_leaves_in_its_session_is_gone_for_the_next()
    {
        await server.RunNodesAsync("""{"sql":"set timezone = 'Asia/Tokyo'"},{"sql":"set default_transaction_read_only = on"}""");
        for (var i = 0; i < 20; i++)
        {
            var instance = await server.RunNodesAsync("""{"sql":"select current_setting('timezone') as z, current_setting('default_transaction_read_only') as r"}""");
            Assert.Equal("""[{"z":"UTC","r":"off"}]""", instance.GetProperty("result").GetProperty("rows").GetRawText());
        }
    }

    [Fact]
    public async Task An_unknown_connection_is_named_and_no_other_one()
    {
        var error = (await server.RunNodesAsync("""{"sql":{"query":"select 1","connection":"warehouse"}}""")).GetProperty("error").GetProperty("message").GetString()!;
        Assert.Contains("\"warehouse\"", error, StringComparison.Ordinal);
        Assert.DoesNotContain("default", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_named_connection_leads_to_its_own_database()
    {
        var elsewhere = await TestCluster.CreateDatabaseAsync();
        await using var two = await TestServer.StartAsync(fixture.ConnectionString, ("Connections:elsewhere", elsewhere));
        var instance = await two.RunNodesAsync("""{"sql":{"query":"select current_database() as d","connection":"elsewhere"},"as":"a"},{"sql":"select current_database() as d","as":"b"},{"return":["{{ a.d }}","{{ b.d }}"]}""");
        var names = instance.GetProperty("result").EnumerateArray().Select(name => name.GetString()).ToList();
        Assert.Equal(2, names.Distinct().Count());
    }
}
