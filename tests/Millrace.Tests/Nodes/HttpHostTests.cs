using Millrace.Chaos;
using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

/// <summary>What stands between a node and a host that fails, is busy, or asks for patience.</summary>
public sealed class HttpHostTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly HttpExecutor executor = fixture.Server.Service<HttpExecutor>();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failing_host_is_left_alone_and_who_wants_to_call_it_is_held_back(bool isSlow)
    {
        await using var receiver = await Receiver.StartAsync(async (context, _) =>
        {
            context.Response.StatusCode = 500;
            if (isSlow)
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        await using var careful = await StartAsync(("Http:BreakerFailures", "3"), ("Http:BreakerPause", "00:10:00"));
        var node = $$"""{"http":"{{receiver.Address}}","timeout":"500ms","retry":{"attempts":1} }""";
        for (var i = 0; i < 3; i++)
            Assert.Equal(isSlow ? "timeout" : "500", (await careful.RunNodesAsync(node)).GetProperty("error").GetProperty("code").GetString());

        var id = await careful.StartInstanceAsync($$"""{"do":[{{node}}]}""");
        await TestServer.EventuallyAsync(async () => (await careful.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "it is held back");
        var held = (await careful.NodesAsync(id))[0].GetProperty("error");
        Assert.Equal(("circuit_open", true), (held.GetProperty("code").GetString(), held.GetProperty("held_back").GetBoolean()));
        Assert.Equal(3, receiver.Requests.Count);
    }

    [Fact]
    public async Task What_was_held_back_still_has_all_its_attempts()
    {
        await using var receiver = await Receiver.StartAsync((context, number) =>
        {
            context.Response.StatusCode = number <= 2 ? 500 : 200;
            return Task.CompletedTask;
        });
        await using var careful = await StartAsync(("Http:BreakerFailures", "2"), ("Http:BreakerPause", "00:00:00.500"));
        var node = $$"""{"http":"{{receiver.Address}}","retry":{"attempts":1,"backoff":"1s"} }""";
        for (var i = 0; i < 2; i++)
            await careful.RunNodesAsync(node);
        var instance = await careful.RunNodesAsync(node);
        Assert.Equal("completed", instance.GetProperty("status").GetString());
    }

    [Theory]
    [InlineData(503, "", "7", 7.0)]
    [InlineData(429, "\"expect\":{\"status\":[200]},", "120", 120.0)]
    [InlineData(503, "", "99999999", 86400.0)]
    [InlineData(503, "", "99999999999999999999", 86400.0)]
    [InlineData(503, "", "Wed, 21 Oct 2015 07:28:30 GMT", 30.0)]
    [InlineData(503, "", "Wed, 21 Oct 2015 07:27:00 GMT", null)]
    [InlineData(503, "", "soon", null)]
    [InlineData(503, "", null, null)]
    public async Task A_host_that_says_when_to_come_again_is_believed(int status, string more, string? retryAfter, double? seconds)
    {
        await using var receiver = await Receiver.StartAsync((context, _) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Date = "Wed, 21 Oct 2015 07:28:00 GMT";
            context.Response.Headers.RetryAfter = retryAfter;
            return Task.CompletedTask;
        });
        var end = await executor.ExecuteAsync(For(Guid.NewGuid()), Command(receiver, more), CancellationToken.None);
        Assert.Equal((status.ToString(System.Globalization.CultureInfo.InvariantCulture), false), (end.Failure!.Code, end.Failure.IsHeldBack));
        Assert.Equal(seconds, end.Failure.RetryAfter?.TotalSeconds);
    }

    [Fact]
    public async Task Slow_requests_of_one_organisation_leave_places_for_another()
    {
        var answers = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync((context, _) => context.Request.Path == "/slow" ? answers.Task : Task.CompletedTask);
        await using var narrow = await StartAsync(("Http:ConcurrencyPerHost", "8"));
        var greedy = Guid.NewGuid();
        var mine = narrow.Service<HttpExecutor>();
        var slow = Enumerable.Range(0, 30).Select(_ => mine.ExecuteAsync(For(greedy), Command(receiver, path: "/slow"), CancellationToken.None)).ToList();
        await TestServer.EventuallyAsync(() => Task.FromResult(receiver.Requests.Count >= 4), "some are under way");

        var end = await mine.ExecuteAsync(For(Guid.NewGuid()), Command(receiver), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Null(end.Failure);
        Assert.All(slow, request => Assert.False(request.IsCompleted));
        answers.SetResult();
        Assert.All(await Task.WhenAll(slow), request => Assert.Null(request.Failure));
    }

    [Fact]
    public async Task Who_finds_no_place_for_long_is_held_back()
    {
        var answers = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync((_, _) => answers.Task);
        await using var narrow = await StartAsync(("Http:ConcurrencyPerHost", "1"));
        var mine = narrow.Service<HttpExecutor>();
        var first = mine.ExecuteAsync(For(Guid.NewGuid()), Command(receiver), CancellationToken.None);
        await TestServer.EventuallyAsync(() => Task.FromResult(receiver.Requests.Count == 1), "the place is taken");

        var end = await mine.ExecuteAsync(For(Guid.NewGuid()), Command(receiver, timeout: "100ms"), CancellationToken.None);
        Assert.Equal(("host_busy", true), (end.Failure!.Code, end.Failure.IsHeldBack));
        answers.SetResult();
        Assert.Null((await first).Failure);
        Assert.Single(receiver.Requests);
    }

    private static async Task<TestServer> StartAsync(params (string Name, string Value)[] settings) =>
        await TestServer.StartAsync(await TestCluster.CreateDatabaseAsync(), settings);

    private static NodeContext For(Guid organisation) => new(Guid.NewGuid(), organisation, MayRepeat: false);

    private static ExecuteHttp Command(Receiver receiver, string more = "", string path = "/", string timeout = "30s")
    {
        var url = receiver.Address + path;
        var node = (Millrace.Workflows.HttpNode)Tests.Workflows.ReaderTests.Read($$"""{"do":[{"http":{ {{more}}"url":"{{url}}"},"timeout":"{{timeout}}"} ]}""").Do[0];
        return new(new("/do/0", 0, 1), node, url, [], null, [], null);
    }
}
