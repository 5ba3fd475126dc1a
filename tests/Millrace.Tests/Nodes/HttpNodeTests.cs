using Microsoft.AspNetCore.Http;
using Millrace.Chaos;
using Millrace.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

public sealed class HttpNodeTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task A_request_carries_what_the_node_says()
    {
        await using var receiver = await Receiver.StartAsync((context, _) => context.Response.WriteAsJsonAsync(new { id = 5 }));
        var instance = await server.RunNodesAsync(
            $$$"""{"http":{"method":"PUT","url":"{{{receiver.Address}}}/a/{{ input.id }}?x=1","headers":{"X-Token":"t {{ input.id }}","Content-Type":"application/vnd.x+json"},"body":{"id":"{{ input.id }}","list":[1,"{{ input.s }}"]}},"as":"r"},{"return":["{{ r.status }}","{{ r.ok }}","{{ r.body.id }}","{{ r.encoding }}","{{ r.headers[\"content-type\"] }}"]}""",
            """{"id":7,"s":"x"}""");

        Assert.Equal("""[200,true,5,"text","application/json; charset=utf-8"]""", instance.GetProperty("result").GetRawText());
        var request = Assert.Single(receiver.Requests);
        Assert.Equal(("PUT", "/a/7?x=1", """{"id":7,"list":[1,"x"]}"""), (request.Method, request.Path, request.Body));
        Assert.Equal(("t 7", "application/vnd.x+json"), (request.Headers["X-Token"], request.Headers["Content-Type"]));
        Assert.True(Guid.TryParse(request.Headers["Idempotency-Key"], out _));
        var nodes = await server.NodesAsync(instance.GetProperty("id").GetString()!);
        Assert.Equal(["status", "ok", "headers", "body", "encoding", "duration_ms"], nodes[0].GetProperty("result").EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public async Task A_text_body_is_sent_as_text_and_an_address_alone_is_posted()
    {
        await using var receiver = await Receiver.StartAsync((context, _) => context.Response.WriteAsync("ok"));
        await server.RunNodesAsync($$$"""{"http":{"url":"{{{receiver.Address}}}","body":"plain"}},{"http":"{{{receiver.Address}}}/alone"}""");
        var requests = receiver.Requests.ToList();
        Assert.Equal(("POST", "plain", "text/plain; charset=utf-8"), (requests[0].Method, requests[0].Body, requests[0].Headers["Content-Type"]));
        Assert.Equal(("POST", "/alone", ""), (requests[1].Method, requests[1].Path, requests[1].Body));
    }

    [Fact]
    public async Task What_is_not_text_comes_in_base64()
    {
        await using var receiver = await Receiver.StartAsync(async (context, number) =>
        {
            context.Response.ContentType = number == 1 ? "image/png" : "text/plain";
            await context.Response.Body.WriteAsync(number == 1 ? new byte[] { 1, 2, 3 } : [65, 0, 66]);
        });
        var instance = await server.RunNodesAsync(
            $$$"""{"http":"{{{receiver.Address}}}","as":"a"},{"http":"{{{receiver.Address}}}","as":"b"},{"return":"{{ a.encoding }} {{ a.body }} {{ b.encoding }} {{ b.body }}"}""");
        Assert.Equal("base64 AQID base64 QQBC", instance.GetProperty("result").GetString());
    }

    [Fact]
    public async Task A_client_error_is_a_result_and_a_server_error_is_tried_again_with_the_same_key()
    {
        await using var receiver = await Receiver.StartAsync((context, number) =>
        {
            context.Response.StatusCode = number switch { 1 => 404, 2 => 503, _ => 200 };
            return Task.CompletedTask;
        });
        var instance = await server.RunNodesAsync(
            $$$"""{"http":"{{{receiver.Address}}}","as":"a"},{"http":"{{{receiver.Address}}}","as":"b","retry":{"attempts":3,"backoff":"10ms"}},{"return":["{{ a.status }}","{{ a.ok }}","{{ b.status }}"]}""");

        Assert.Equal("[404,false,200]", instance.GetProperty("result").GetRawText());
        var keys = receiver.Requests.Select(request => request.Headers["Idempotency-Key"]).ToList();
        Assert.Equal(3, keys.Count);
        Assert.Equal(keys[1], keys[2]);
        Assert.NotEqual(keys[0], keys[1]);
        var failed = (await server.NodesAsync(instance.GetProperty("id").GetString()!))[1].GetProperty("error");
        Assert.Equal("503", failed.GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{"status":[201]}""", "expected 201")]
    [InlineData("""{"bodyContains":"done"}""", "does not contain")]
    public async Task An_unexpected_response_fails_the_node(string expect, string message)
    {
        await using var receiver = await Receiver.StartAsync((context, _) => context.Response.WriteAsync("secret-of-the-peer"));
        var error = (await server.RunNodesAsync($$"""{"http":{"url":"{{receiver.Address}}/?token=abc","expect":{{expect}} },"retry":{"attempts":1} }""")).GetProperty("error");
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("200", error.GetProperty("code").GetString());
        Assert.DoesNotContain("abc", error.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expected_server_error_is_a_result()
    {
        await using var receiver = await Receiver.StartAsync((context, _) =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        var instance = await server.RunNodesAsync($$"""{"http":{"url":"{{receiver.Address}}","expect":{"status":[200,503]} } }""");
        Assert.Equal(503, instance.GetProperty("result").GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Slow_refusing_and_oversized_peers_fail_the_node_with_the_reason()
    {
        await using var slow = await Receiver.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));
        await using var large = await Receiver.StartAsync((context, _) => context.Response.WriteAsync(new string('x', 1_200_000)));
        async Task<(string?, string)> FailAsync(string url, string more = "")
        {
            var error = (await server.RunNodesAsync($$"""{"http":"{{url}}","retry":{"attempts":1}{{more}} }""")).GetProperty("error");
            return (error.GetProperty("code").GetString(), error.GetProperty("message").GetString()!);
        }

        Assert.Equal("timeout", (await FailAsync(slow.Address, ",\"timeout\":\"150ms\"")).Item1);
        Assert.Equal("result_too_large", (await FailAsync(large.Address)).Item1);
        var (code, message) = await FailAsync("http://127.0.0.1:1/");
        Assert.Equal("connection", code);
        Assert.Contains("127.0.0.1:1", message, StringComparison.Ordinal);
        Assert.Equal("connection", (await FailAsync("http://no-such-host.invalid/")).Item1);
    }

    [Fact]
    public async Task Private_addresses_are_refused_unless_allowed_also_behind_a_redirect()
    {
        await using var inside = await Receiver.StartAsync((context, _) => context.Response.WriteAsync("inside"));
        await using var guarded = await TestServer.StartAsync(fixture.ConnectionString, ("Http:AllowPrivateNetworks", "false"), ("Pump:Enabled", "true"));
        foreach (var url in new[] { inside.Address, inside.Address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal), inside.Address.Replace("127.0.0.1", "[::ffff:127.0.0.1]", StringComparison.Ordinal) })
        {
            // Both servers share the database, so the executor itself is asked and not whichever pump claims first.
            var executor = guarded.Service<HttpExecutor>();
            var node = (Millrace.Workflows.HttpNode)Tests.Workflows.ReaderTests.Read($$"""{"do":[{"http":"{{url}}"} ]}""").Do[0];
            var end = await executor.ExecuteAsync(new(Guid.NewGuid(), Guid.NewGuid(), MayRepeat: false), new(new("/do/0", 0, 1), node, url, [], null, [], null), CancellationToken.None);
            Assert.Equal(("egress", false), (end.Failure?.Code, end.Failure?.Retryable));
        }

        Assert.Empty(inside.Requests);
    }

    [Fact]
    public async Task A_multipart_body_has_the_parts_as_they_were_given()
    {
        await using var receiver = await Receiver.StartAsync(async (context, _) =>
        {
            var form = await context.Request.ReadFormAsync();
            var file = form.Files[0];
            // Both streams share one below them, so the first is read to its end before the second.
            using var reader = new StreamReader(file.OpenReadStream());
            var text = await reader.ReadToEndAsync();
            var bytes = new byte[form.Files[1].Length];
            await form.Files[1].OpenReadStream().ReadExactlyAsync(bytes);
            await context.Response.WriteAsync($"{form["note"]}|{form["meta"]}|{file.Name}|{file.FileName}|{file.ContentType}|{text}|{Convert.ToHexString(bytes)}");
        });
        var instance = await fixture.Server.RunAsync($$$"""
            {"do":[{"http":{"url":"{{{receiver.Address}}}","multipart":[
                {"name":"note","content":"for {{ input.who }}"},
                {"name":"meta","content":{"who":"{{ input.who }}"} },
                {"name":"rows","content":"a,b\n1,2","filename":"{{ input.who }}.csv","contentType":"text/csv"},
                {"name":"raw","content":"AAEC/w==","filename":"raw.bin","encoding":"base64"}]},"as":"r"},
             {"return":"{{ r.body }}"}]}
            """, """{"who":"me\"; x=\"y"}""");
        Assert.Equal("for me\"; x=\"y|{\"who\":\"me\\\"; x=\\\"y\"}|rows|me%22; x=%22y.csv|text/csv|a,b\n1,2|000102FF", instance.GetProperty("result").GetString());
    }

    [Fact]
    public async Task A_part_that_is_not_base64_fails_the_node()
    {
        var error = (await fixture.Server.RunNodesAsync(
            """{"http":{"url":"http://127.0.0.1:1","multipart":[{"name":"raw","content":"no!","encoding":"base64"}]}}""")).GetProperty("error");
        Assert.Equal("the content of part \"raw\" is not base64", error.GetProperty("message").GetString());
    }
}
