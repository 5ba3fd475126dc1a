using System.Net;
using Microsoft.AspNetCore.Http;
using Millrace.Chaos;
using Millrace.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

public sealed class HttpRedirectTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private const string Secrets = """{"Authorization":"Bearer s","X-Api-Key":"s","Cookie":"s=1","Idempotency-Key":"s","Content-Type":"application/vnd.s+json"}""";
    private readonly TestServer server = fixture.Server;

    [Theory]
    [InlineData("POST", 301, "GET")]
    [InlineData("POST", 302, "GET")]
    [InlineData("PUT", 303, "GET")]
    public async Task Nothing_of_the_node_goes_along_to_another_origin(string method, int status, string then)
    {
        await using var other = await Receiver.StartAsync((context, _) => context.Response.WriteAsync("there"));
        await using var first = await RedirectAsync(status, $"{other.Address}/there?x=1");
        var instance = await server.RunNodesAsync($$$"""{"http":{"method":"{{{method}}}","url":"{{{first.Address}}}","headers":{{{Secrets}}},"body":{"secret":1} },"as":"r"},{"return":"{{ r.body }}"}""");

        Assert.Equal("there", instance.GetProperty("result").GetString());
        var request = Assert.Single(other.Requests);
        Assert.Equal((then, "/there?x=1", ""), (request.Method, request.Path, request.Body));
        Assert.Equal(["Accept-Encoding", "Host", "User-Agent"], request.Headers.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("Bearer s", Assert.Single(first.Requests).Headers["Authorization"]);
    }

    [Theory]
    [InlineData("POST", 307)]
    [InlineData("POST", 308)]
    [InlineData("PUT", 302)]
    public async Task A_redirect_that_would_take_a_body_to_another_origin_fails(string method, int status)
    {
        await using var other = await Receiver.StartAsync((context, _) => context.Response.WriteAsync("there"));
        await using var first = await RedirectAsync(status, $"{other.Address}/secret-path");
        var error = (await server.RunNodesAsync($$"""{"http":{"method":"{{method}}","url":"{{first.Address}}","body":"b"} }""")).GetProperty("error");
        Assert.Equal("redirect", error.GetProperty("code").GetString());
        Assert.DoesNotContain("secret", error.GetRawText(), StringComparison.Ordinal);
        Assert.Empty(other.Requests);
        Assert.Single(first.Requests);
    }

    [Theory]
    [InlineData("POST", 302, "GET", "")]
    [InlineData("POST", 303, "GET", "")]
    [InlineData("PUT", 301, "PUT", "b")]
    [InlineData("POST", 307, "POST", "b")]
    [InlineData("POST", 308, "POST", "b")]
    [InlineData("HEAD", 303, "HEAD", "")]
    public async Task Within_an_origin_headers_go_along_and_methods_change_as_in_browsers(string method, int status, string then, string body)
    {
        await using var receiver = await Receiver.StartAsync((context, number) =>
        {
            (context.Response.StatusCode, context.Response.Headers.Location) = number == 1 ? (status, "../b?y=2#part") : (200, default);
            return Task.CompletedTask;
        });
        await server.RunNodesAsync($$"""{"http":{"method":"{{method}}","url":"{{receiver.Address}}/a/a","headers":{{Secrets}}{{(method is "HEAD" ? "" : ",\"body\":\"b\"")}} } }""");

        var requests = receiver.Requests.ToList();
        Assert.Equal(2, requests.Count);
        Assert.Equal((then, "/b?y=2", body), (requests[1].Method, requests[1].Path, requests[1].Body));
        foreach (var name in new[] { "Authorization", "X-Api-Key", "Cookie", "Idempotency-Key" })
            Assert.Equal(requests[0].Headers[name], requests[1].Headers[name]);
        Assert.Equal(body.Length > 0, requests[1].Headers.ContainsKey("Content-Type"));
    }

    [Fact]
    public async Task What_was_dropped_does_not_come_back_with_the_first_origin()
    {
        var back = "";
        await using var first = await Receiver.StartAsync((context, number) =>
        {
            if (number == 1)
                context.Response.Redirect(back);
            return Task.CompletedTask;
        });
        await using var other = await RedirectAsync(302, first.Address);
        back = other.Address;
        await server.RunNodesAsync($$"""{"http":{"method":"GET","url":"{{first.Address}}","headers":{{Secrets}} } }""");
        Assert.False(first.Requests.Last().Headers.ContainsKey("Authorization"));
        Assert.Equal(2, first.Requests.Count);
    }

    [Theory]
    [InlineData("", 6)]
    [InlineData(",\"redirects\":2", 3)]
    public async Task Redirects_that_lead_nowhere_end_at_the_limit(string more, int requests)
    {
        await using var receiver = await RedirectAsync(307, "/again");
        var error = (await server.RunNodesAsync($$"""{"http":{"url":"{{receiver.Address}}"{{more}} } }""")).GetProperty("error");
        Assert.Equal("redirect", error.GetProperty("code").GetString());
        Assert.Equal(requests, receiver.Requests.Count);
    }

    [Fact]
    public async Task With_no_redirects_the_redirect_is_the_result()
    {
        await using var receiver = await RedirectAsync(302, "/elsewhere");
        var result = (await server.RunNodesAsync($$"""{"http":{"url":"{{receiver.Address}}","redirects":0} }""")).GetProperty("result");
        Assert.Equal((302, "/elsewhere"), (result.GetProperty("status").GetInt32(), result.GetProperty("headers").GetProperty("location").GetString()));
        Assert.Single(receiver.Requests);
    }

    [Theory]
    [InlineData("https://a.example/x", "http://a.example/x")]
    [InlineData("https://a.example/x", "http://b.example/")]
    [InlineData("http://a.example/", "ftp://a.example/")]
    [InlineData("http://a.example/", "file:///etc/passwd")]
    [InlineData("http://a.example/", "javascript:alert(1)")]
    [InlineData("http://a.example/", "http://")]
    public void A_redirect_to_what_is_less_safe_or_no_address_fails(string from, string to) =>
        Assert.Throws<RedirectException>(() => new HttpHop(new(from), "GET", HasBody: false, IsOwnOrigin: true).Follow(HttpStatusCode.Found, to));

    [Theory]
    [InlineData("http://a.example/x/y?q", "/z", "http://a.example/z", true)]
    [InlineData("http://a.example/x/y?q", "z", "http://a.example/x/z", true)]
    [InlineData("http://a.example/x/y?q", "?r", "http://a.example/x/y?r", true)]
    [InlineData("http://a.example/", "http://A.EXAMPLE:80/z", "http://a.example/z", true)]
    [InlineData("https://a.example/", "//b.example/z", "https://b.example/z", false)]
    [InlineData("http://a.example/", "https://a.example/", "https://a.example/", false)]
    [InlineData("http://a.example/", "http://a.example:8080/", "http://a.example:8080/", false)]
    [InlineData("http://a.example/", "http://a.example@b.example/", "http://a.example@b.example/", false)]
    public void An_origin_is_scheme_host_and_port(string from, string to, string target, bool isSame)
    {
        var next = new HttpHop(new(from), "GET", HasBody: false, IsOwnOrigin: true).Follow(HttpStatusCode.Found, to);
        Assert.Equal((target, isSame), (next.Address.AbsoluteUri, next.IsOwnOrigin));
    }

    private static Task<Receiver> RedirectAsync(int status, string location) => Receiver.StartAsync((context, _) =>
    {
        (context.Response.StatusCode, context.Response.Headers.Location) = (status, location);
        return Task.CompletedTask;
    });
}
