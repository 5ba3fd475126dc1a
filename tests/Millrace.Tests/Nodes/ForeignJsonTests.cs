using System.Text.Json;
using Millrace.Calls;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

/// <summary>JSON that others have made is taken in as it is, or refused at once, with the place and the cause.</summary>
public sealed class ForeignJsonTests : IAsyncLifetime
{
    private string connection = "";
    private TestServer server = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        server = await TestServer.StartWithAsync(connection, services => services
            .AddMillraceCall("parses", CallNodeJson.Default.String, CallNodeJson.Default.JsonElement, (text, _, _, _) =>
                Task.FromResult(JsonElement.Parse(text, new JsonDocumentOptions { MaxDepth = 5000 }))));
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Theory]
    [InlineData("""'{"a":["\ud800"]}'::json""", "text at /rows/0/v/a/0 contains half of a surrogate pair")]
    [InlineData("""'{"a":"\u0000"}'::json""", "text at /rows/0/v/a contains the character U+0000")]
    [InlineData("(repeat('[', 1500) || repeat(']', 1500))::json", "the JSON nests deeper than 1000 levels, at /rows/0/v/0/0/")]
    [InlineData("""array['1', '"\ud800"']::json[]""", "text at /rows/0/v/1 contains half of a surrogate pair")]
    public async Task A_statements_json_that_cannot_be_kept_fails_it_before_it_has_changed_anything(string value, string cause)
    {
        await TestCluster.ExecuteAsync(connection, "create table kept (a int)");
        foreach (var sql in new[] { $"select {value} as v", $"insert into kept values (1) returning {value} as v" })
        {
            var error = (await server.RunNodesAsync($$"""{"sql":{{JsonSerializer.Serialize(sql)}},"retry":{"attempts":3} }""")).GetProperty("error");
            Assert.Equal(("result", "/do/0", 1), (error.GetProperty("code").GetString(), error.GetProperty("path").GetString(), error.GetProperty("attempt").GetInt32()));
            Assert.Contains(cause, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from kept"));
    }

    [Theory]
    [InlineData("""{"a":{"\u0000":1}}""", "text at /a contains the character U+0000")]
    [InlineData("""{"a":"\u0000"}""", "text at /a contains the character U+0000")]
    public async Task A_handlers_result_that_cannot_be_kept_fails_the_call(string json, string cause)
    {
        var instance = await server.RunNodesAsync($$"""{"try":[{"call":"parses","with":{{JsonSerializer.Serialize(json)}} }],"catch":[{"return":"{{"{{ error }}"}}"}]}""");
        var error = instance.GetProperty("result");
        Assert.Equal(("result", "/do/0/try/0"), (error.GetProperty("code").GetString(), error.GetProperty("path").GetString()));
        Assert.Contains(cause, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_only_looks_wrong_is_taken()
    {
        var instance = await server.RunNodesAsync("""{"call":"parses","with":"[\"\\\\u0000\",\"\\ud83d\\ude00\"]","as":"r"},{"return":"{{ r[1] }}"}""");
        Assert.Equal("\U0001F600", instance.GetProperty("result").GetString());
    }

    // As deep as a request may be: one level is the request's own.
    [Theory]
    [InlineData("""{"waitForSignal":"go"},{"set":{"x":"{{ input }}"}},{"waitForSignal":"go"},{"if":{"equals":["{{ input }}","{{ x }}"]},"then":[{"return":"same"}]}""")]
    [InlineData("""{"set":{"x":"{{ input }}"}},{"waitForSignal":"go"},{"waitForSignal":"go"},{"forEach":[1,2],"spread":true,"do":[{"if":{"equals":["{{ input }}","{{ x }}"]},"then":[{"set":{"y":1}}]}]},{"return":"same"}""")]
    [InlineData("""{"join":[[{"try":[{"forEach":["{{ input[0] }}"],"do":[{"waitForSignal":"go"},{"waitForSignal":"go"},{"sql":"select jsonb_typeof({{ item }}) as t"}]}],"finally":[{"set":{"z":"{{ input }}"}}]}]]},{"return":"same"}""")]
    public async Task An_input_as_deep_as_it_may_be_is_read_back_wherever_it_is_kept(string nodes)
    {
        var deep = $"{new string('[', 998)}{new string(']', 998)}";
        var id = await server.StartInstanceAsync($$"""{"do":[{{nodes}}]}""", $",\"input\":{deep}");
        for (var signal = 0; signal < 2; signal++)
        {
            await TestServer.EventuallyAsync(async () => (await StatusAsync(id)) is "waiting", "it is parked");
            await server.PostAsync($"instances/{id}/signals/go", null);
            await TestServer.EventuallyAsync(async () => (await StatusAsync(id)) is not "waiting" || await TestCluster.ScalarAsync<long>(
                connection, $"select count(*) from millrace.node_execution where kind = 'waitForSignal'") > signal, "the signal is received");
        }

        await TestServer.EventuallyAsync(async () => (await StatusAsync(id)) is "completed" or "failed", "it ends");
        Assert.Equal("completed", await StatusAsync(id));
    }

    // The answer has the input in it, which is deeper than a client reads by itself.
    private async Task<string> StatusAsync(string id)
    {
        using var answer = JsonDocument.Parse((await server.GetAsync($"instances/{id}")).Text, new() { MaxDepth = 5000 });
        return answer.RootElement.GetProperty("status").GetString()!;
    }
}
