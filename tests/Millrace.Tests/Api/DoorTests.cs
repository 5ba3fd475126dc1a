using System.Net;
using System.Net.Sockets;
using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

/// <summary>Bad input is refused at the door: the right status, a problem document, and every fault with its place.</summary>
public sealed class DoorTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Theory]
    [InlineData(null)]
    [InlineData("mr_wrong")]
    [InlineData("nonsense")]
    public async Task Without_a_right_key_nothing_is_answered(string? key)
    {
        using var client = server.ClientWith(key);
        foreach (var path in new[] { "instances", "workflows", "vars/a" })
        {
            using var response = await client.GetAsync(path);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
        }

        foreach (var path in new[] { "health", "health/ready", "openapi.json", "schemas/workflow.json" })
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(path)).StatusCode);
    }

    [Theory]
    [InlineData("{", HttpStatusCode.BadRequest)]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("nonsense", HttpStatusCode.BadRequest)]
    [InlineData("""{"workflow":"a","workflow":"b"}""", HttpStatusCode.BadRequest)]
    [InlineData("[]", HttpStatusCode.UnprocessableEntity)]
    [InlineData("null", HttpStatusCode.UnprocessableEntity)]
    [InlineData("{}", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"nowhere"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"a","definition":{"do":[{"set":{}}]}}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"a","input":"a\u0000b"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"a","input":"\ud800"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"a","\u0000":1}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"workflow":"a","\udc00":1}""", HttpStatusCode.BadRequest)]
    public async Task A_body_that_is_no_start_is_refused(string body, HttpStatusCode status)
    {
        var answer = await server.PostAsync("instances", body);
        Assert.Equal((status, "application/problem+json"), (answer.Status, answer.ContentType));
        Assert.Equal((int)status, answer.Json.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Everything_wrong_with_a_start_is_told_at_once()
    {
        var answer = await server.PostAsync("instances", """
            {
              "definition": {
                "nmae": "x",
                "do": [
                  { "sqll": "select 1" },
                  { "sql": "select 1", "http": "https://example.com" },
                  { "sql": "select '{{ a }}'", "retyr": {} },
                  { "set": { "input": 1, "a": "{{ order.id" } },
                  { "sleep": "5 minutes" },
                  { "if": { "equals": [1] }, "then": [], "else": 7 },
                  { "http": { "url": "ftp://example.com", "method": "get", "headers": { "Host": "x" } }, "timeout": "0s" }
                ]
              },
              "label": 5, "priority": 11, "delay": "soon", "vars": [], "inptu": 1
            }
            """);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        var errors = answer.Json.GetProperty("errors").EnumerateArray()
            .GroupBy(error => error.GetProperty("pointer").GetString()!)
            .ToDictionary(group => group.Key, group => string.Join(" ", group.Select(error => error.GetProperty("detail").GetString())));
        Assert.Equal(
            [
                "/definition/do/0/sqll", "/definition/do/1", "/definition/do/2/retyr", "/definition/do/2/sql", "/definition/do/3/set/a",
                "/definition/do/3/set/input", "/definition/do/4/sleep", "/definition/do/5/else", "/definition/do/5/if/equals", "/definition/do/5/then",
                "/definition/do/6/http/headers/Host", "/definition/do/6/http/method", "/definition/do/6/http/url", "/definition/do/6/timeout",
                "/definition/nmae", "/delay", "/inptu", "/label", "/priority", "/vars",
            ],
            errors.Keys.Order(StringComparer.Ordinal));
        Assert.Contains("Did you mean \"sql\"?", errors["/definition/do/0/sqll"], StringComparison.Ordinal);
        Assert.Contains("\"sql\" and \"http\"", errors["/definition/do/1"], StringComparison.Ordinal);
        Assert.Contains("Did you mean \"retry\"?", errors["/definition/do/2/retyr"], StringComparison.Ordinal);
        Assert.Contains("bind parameter", errors["/definition/do/2/sql"], StringComparison.Ordinal);
        Assert.Contains("Did you mean \"name\"?", errors["/definition/nmae"], StringComparison.Ordinal);
        Assert.Contains("Did you mean \"input\"?", errors["/inptu"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=utf-16")]
    public async Task Another_content_type_is_refused(string type)
    {
        var answer = await server.PostAsync("instances", """{"workflow":"a"}""", ("Content-Type", type));
        Assert.Equal((HttpStatusCode.UnsupportedMediaType, "application/problem+json"), (answer.Status, answer.ContentType));
    }

    [Fact]
    public async Task Text_that_is_not_utf8_is_refused()
    {
        using var content = new ByteArrayContent([.. "{\"label\":\""u8, 0xC3, 0x28, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");
        using var response = await server.Client.PostAsync("instances", content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task What_is_too_large_is_refused_with_413()
    {
        var large = new string('x', 300_000);
        var input = await server.PostAsync("instances", $$"""{"workflow":"a","input":"{{large}}"}""");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, input.Status);
        Assert.Equal("/input", Assert.Single(input.Json.GetProperty("errors").EnumerateArray()).GetProperty("pointer").GetString());

        var definition = await server.PostAsync("workflows/validate", $$"""{"do":[{"fail":"{{large}}{{large}}{{large}}{{large}}"}]}""");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, definition.Status);
        var body = await server.PostAsync("workflows/validate", $"{{\"do\":[{new string(' ', 3_000_000)}]}}");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, body.Status);
        var variable = await server.PutAsync("vars/a", $$"""{"value":"{{large}}"}""");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, variable.Status);
    }

    [Fact]
    public async Task A_body_without_a_length_is_cut_off_too()
    {
        // By hand, since a client that is still sending may miss the answer.
        var address = new Uri(server.Address);
        using var connection = new TcpClient(address.Host, address.Port);
        await using var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /api/v1/workflows/validate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.Key}\r\n"
            + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"));
        var status = new StreamReader(stream).ReadLineAsync();
        var chunk = Encoding.ASCII.GetBytes($"10000\r\n{new string(' ', 0x10000)}\r\n");
        for (var sent = 0; sent < 1000 && !status.IsCompleted; sent++)
        {
            try
            {
                await stream.WriteAsync(chunk);
            }
            catch (IOException)
            {
                break;
            }
        }

        Assert.StartsWith("HTTP/1.1 413", await status, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_deep_and_over_long_workflows_are_refused_with_their_place()
    {
        var deep = """{"set":{"a":1}}""";
        for (var i = 0; i < 256; i++)
            deep = $$$"""{"if":"{{ a }}","then":[{{{deep}}}]}""";
        var tooDeep = await server.PostAsync("workflows/validate", $$"""{"do":[{{deep}}]}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, tooDeep.Status);
        Assert.Contains("256 levels", tooDeep.Text, StringComparison.Ordinal);

        var many = string.Join(',', Enumerable.Repeat("""{"set":{"a":1}}""", 10_001));
        var tooMany = await server.PostAsync("workflows/validate", $$"""{"do":[{{many}}]}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, tooMany.Status);
        Assert.Equal("/do", Assert.Single(tooMany.Json.GetProperty("errors").EnumerateArray()).GetProperty("pointer").GetString());

        var bottomless = await server.PostAsync("instances", $"{{\"workflow\":\"a\",\"input\":{new string('[', 5000)}{new string(']', 5000)}}}");
        Assert.Equal(HttpStatusCode.BadRequest, bottomless.Status);
        Assert.Contains("deeper than 1000", bottomless.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unknown_routes_and_methods_are_problems_too()
    {
        Assert.Equal("application/problem+json", (await server.GetAsync("nowhere")).ContentType);
        var method = await server.SendAsync(HttpMethod.Delete, "workflows", null);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "application/problem+json"), (method.Status, method.ContentType));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    public async Task A_wrong_idempotency_key_is_refused(int length)
    {
        var answer = await server.PostAsync("instances", "{}", ("Idempotency-Key", new string('k', length)));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("Idempotency-Key", answer.Text, StringComparison.Ordinal);
    }

    /// <summary>10,000 documents, made from right ones by random changes: each is answered, none with a 500.</summary>
    [Fact]
    public async Task No_mutated_document_breaks_the_server()
    {
        var seed = Seeds.First;
        var random = new Random(seed);
        for (var round = 0; round < 100; round++)
        {
            var bodies = Enumerable.Range(0, 100).Select(_ => Mutation.Of(random)).ToList();
            var answers = await Task.WhenAll(bodies.Select(body => server.SendAsync(
                HttpMethod.Post, "workflows/validate", body.Definition).WaitAsync(TimeSpan.FromSeconds(60))));
            for (var i = 0; i < bodies.Count; i++)
            {
                var status = (int)answers[i].Status;
                Assert.True(status is 200 or 400 or 413 or 415 or 422, $"seed {seed}: {status} for {bodies[i].Definition}");
                Assert.True(status is 200 || answers[i].ContentType is "application/problem+json", $"seed {seed}: no problem for {bodies[i].Definition}");
            }

            // A few go all the way: what validate lets through can be started, and comes to an end or waits.
            var start = bodies[0];
            var started = await server.PostAsync("instances", $$"""{"definition":{{start.Definition}},"input":{{start.Input}}}""");
            Assert.True((int)started.Status is 202 or 400 or 413 or 422, $"seed {seed}: {(int)started.Status} for {start}");
        }
    }
}
