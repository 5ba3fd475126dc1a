using System.Net;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>What an instance keeps between its nodes is bounded, and so is what others can make it keep.</summary>
public sealed class StateSizeTests : IAsyncLifetime
{
    private string connection = "";
    private TestServer server = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        server = await TestServer.StartAsync(connection, ("Limits:StateBytes", "1048576"), ("Limits:WaitingSignalBytes", "500000"));
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Theory]
    [InlineData("""{"sleep":"1h"}""")]
    [InlineData("""{"sql":"select 1"}""")]
    public async Task An_instance_that_keeps_too_much_fails_and_says_why(string after)
    {
        var nodes = string.Join(',', Enumerable.Range(0, 5).Select(i => $$"""{"sql":"select repeat('x', 300000) as x","as":"n{{i}}"}"""));
        var instance = await server.RunNodesAsync($"{nodes},{after}");
        var error = instance.GetProperty("error");
        Assert.Equal(("failed", "state_too_large"), (instance.GetProperty("status").GetString(), error.GetProperty("code").GetString()));
        Assert.Contains("at most 1,048,576 are allowed", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        var id = instance.GetProperty("id").GetString()!;
        Assert.Equal(4, (await server.NodesAsync(id)).Count);
        Assert.Equal(HttpStatusCode.Conflict, (await server.PostAsync($"instances/{id}/retry", null)).Status);
    }

    [Fact]
    public async Task Large_results_that_replace_each_other_are_no_matter()
    {
        var instance = await server.RunNodesAsync("""{"loop":[{"sql":"select repeat('x', 300000) as x","as":"n"}],"max":10},{"sleep":"1500ms"},{"return":"done"}""");
        Assert.Equal("done", instance.GetProperty("result").GetString());
    }

    [Fact]
    public async Task Signals_that_take_too_much_together_are_refused_until_some_are_received()
    {
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"},{"loop":[{"waitForSignal":"large"}],"max":2},{"waitForSignal":"go"}]}""");
        await WaitingAsync(id);
        var large = JsonSerializer.Serialize(new string('x', 200_000));
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/large", large)).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/large", large)).Status);

        // In the table or in the snapshot, they count.
        Assert.Equal(HttpStatusCode.TooManyRequests, (await server.PostAsync($"instances/{id}/signals/large", large)).Status);
        await TestServer.EventuallyAsync(async () => await CountAsync(id) == 0, "the snapshot has them");
        Assert.Equal(HttpStatusCode.TooManyRequests, (await server.PostAsync($"instances/{id}/signals/large", large)).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/small", "1")).Status);

        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/go", null)).Status);
        await TestServer.EventuallyAsync(
            async () => (await server.PostAsync($"instances/{id}/signals/large", large)).Status is HttpStatusCode.Accepted, "two of them were received");
        Assert.Equal(HttpStatusCode.Accepted, (await server.PostAsync($"instances/{id}/signals/go", null)).Status);
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_single_signal_is_taken_whatever_may_wait()
    {
        await using var narrow = await TestServer.StartAsync(connection, ("Limits:WaitingSignalBytes", "10"), ("Pump:Enabled", "false"));
        var id = await server.StartInstanceAsync("""{"do":[{"waitForSignal":"go"}]}""");
        await WaitingAsync(id);
        Assert.Equal(HttpStatusCode.Accepted, (await narrow.PostAsync($"instances/{id}/signals/go", """{"longer":"than ten bytes"}""")).Status);
        Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }

    private Task<long> CountAsync(string id) => TestCluster.ScalarAsync<long>(connection, $"select count(*) from millrace.signal where instance_id = '{id}'");

    private Task WaitingAsync(string id) => TestServer.EventuallyAsync(
        async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "it waits");
}
