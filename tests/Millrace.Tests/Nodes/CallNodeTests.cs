using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Calls;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

public sealed class CallNodeTests : IAsyncLifetime
{
    private string connection = "";
    private TestServer server = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        server = await TestServer.StartWithAsync(connection, services => services
            .AddSingleton<Prices>()
            .AddMillraceCall<TotalHandler, Order, Total>("total", CallNodeJson.Default.Order, CallNodeJson.Default.Total)
            .AddMillraceCall("key", CallNodeJson.Default.JsonElement, CallNodeJson.Default.String, (_, context, _, _) => Task.FromResult($"{context.Instance} {context.Key.Attempt} {context.IdempotencyKey}"))
            .AddMillraceCall("fails", CallNodeJson.Default.Boolean, CallNodeJson.Default.String, (retryable, _, _, _) =>
                throw new CallFailedException("no more in stock", "sold_out", retryable))
            .AddMillraceCall("throws", CallNodeJson.Default.JsonElement, CallNodeJson.Default.String, (_, _, _, _) =>
                throw new InvalidOperationException("Password=secret"))
            .AddMillraceCall("hangs", CallNodeJson.Default.JsonElement, CallNodeJson.Default.String, async (_, _, _, cancel) =>
            {
                await Task.Delay(Timeout.Infinite, cancel);
                return "";
            }));
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task A_handler_takes_and_returns_its_own_types()
    {
        var instance = await server.RunNodesAsync("""{"call":"total","with":{"items":["a","b","a"]},"as":"t"},{"return":"{{ t.amount }}"}""");
        Assert.Equal("5.25", instance.GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Every_attempt_has_the_same_idempotency_key()
    {
        var instance = await server.RunNodesAsync("""{"call":"key","as":"a"},{"call":"key","as":"b"},{"return":["{{ a }}","{{ b }}"]}""");
        var keys = instance.GetProperty("result").EnumerateArray().Select(key => key.GetString()!.Split(' ')).ToList();
        Assert.All(keys, key => Assert.Equal(instance.GetProperty("id").GetString(), key[0]));
        Assert.NotEqual(keys[0][2], keys[1][2]);
    }

    [Theory]
    [InlineData("""{"call":"fails","with":false,"retry":{"attempts":5} }""", "sold_out", "no more in stock", 1)]
    [InlineData("""{"call":"fails","with":true,"retry":{"attempts":2,"backoff":"1ms"} }""", "sold_out", "no more in stock", 2)]
    [InlineData("""{"call":"throws"}""", "exception", "threw InvalidOperationException", 1)]
    [InlineData("""{"call":"hangs","timeout":"50ms"}""", "timeout", "did not end within 00:00:00.0500000", 1)]
    [InlineData("""{"call":"total","with":{"items":7} }""", "input", "\"with\" is not what the handler takes, at $.items: expected Order", 1)]
    [InlineData("""{"call":"totl"}""", "no_handler", "no handler named \"totl\". Did you mean \"total\"?", 1)]
    public async Task A_failure_tells_its_cause_and_no_secrets(string node, string code, string message, int attempt)
    {
        var error = (await server.RunNodesAsync(node)).GetProperty("error");
        Assert.Equal((code, "/do/0", "call", attempt), (error.GetProperty("code").GetString(), error.GetProperty("path").GetString(), error.GetProperty("kind").GetString(), error.GetProperty("attempt").GetInt32()));
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.GetRawText(), StringComparison.Ordinal);
    }

    private sealed class Prices
    {
        private readonly decimal cheap = 1.5m;

        public decimal Of(string item) => item == "a" ? cheap : 2.25m;
    }

    private sealed class TotalHandler(Prices prices) : ICallHandler<Order, Total>
    {
        public Task<Total> HandleAsync(Order input, CallContext context, CancellationToken cancel) =>
            Task.FromResult(new Total(input.Items.Sum(prices.Of)));
    }
}

internal sealed record Order(IReadOnlyList<string> Items);

internal sealed record Total(decimal Amount);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Order))]
[JsonSerializable(typeof(Total))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(string))]
internal sealed partial class CallNodeJson : JsonSerializerContext;
