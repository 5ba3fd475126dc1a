using System.Text;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>What a process reads back is bounded by its bytes, so one with little memory can do it too.</summary>
public sealed class MemoryTests : IAsyncLifetime
{
    private const string Key = "mr_a_key_for_a_server_with_little_memory";
    private const string Megabyte = """{"sql":"select repeat('x', 1000000) as x"}""";
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task An_instance_with_a_past_larger_than_memory_is_taken_over_shown_and_listed()
    {
        string id;
        await using (var server = await TestServer.StartAsync(connection, ("ApiKey", Key)))
        {
            id = await server.StartInstanceAsync($$$"""{"do":[{"loop":[{{{Megabyte}}},{"set":{"n":1}}],"max":120},{"waitForSignal":"go","as":"s"},{"return":"{{ s.data }}"}]}""");
            await TestServer.EventuallyAsync(async () => (await server.InstanceAsync(id)).GetProperty("status").GetString() is "waiting", "it waits");
        }

        // As a worker leaves it that has never parked it and is heard of no more.
        await TestCluster.ExecuteAsync(connection, "update millrace.work set snapshot = null, claims = 1, lease_token = 1, worker = 'lost', leased_until = now(), ready_at = now()");
        await using var small = Small();
        using var client = await small.ClientAsync(Key);
        using var signal = new StringContent("7", Encoding.UTF8, "application/json");
        using (await client.PostAsync($"instances/{id}/signals/go", signal))
        {
            var ended = JsonElement.Parse(await client.GetStringAsync($"instances/{id}?wait=60s"));
            Assert.Equal(("completed", "7"), (ended.GetProperty("status").GetString(), ended.GetProperty("result").GetRawText()));
        }

        Assert.Equal("completed", JsonElement.Parse(await client.GetStringAsync($"instances/{id}/explain")).GetProperty("nodes")[1].GetProperty("status").GetString());
        var (nodes, pages) = (0, 0);
        for (string? cursor = ""; cursor is not null; pages++)
        {
            var page = JsonElement.Parse(await client.GetStringAsync($"instances/{id}/nodes?limit=1000&cursor={cursor}"));
            nodes += page.GetProperty("data").GetArrayLength();
            cursor = page.GetProperty("next_cursor").GetString();
        }

        // Two for each turn, the loop, the wait and the return.
        Assert.Equal(243, nodes);
        Assert.InRange(pages, 30, 60);
    }

    [Fact]
    public async Task Results_of_items_that_are_too_large_together_are_not_read()
    {
        await using var small = Small();
        using var client = await small.ClientAsync(Key);
        var items = string.Join(',', Enumerable.Range(0, 120));
        using var request = new HttpRequestMessage(HttpMethod.Post, "instances")
        {
            Content = new StringContent(
                $$$"""{"definition":{"do":[{"forEach":[{{{items}}}],"spread":true,"concurrency":4,"do":[{{{Megabyte}}}]}]}}""", Encoding.UTF8, "application/json"),
            Headers = { { "Prefer", "wait=90" } },
        };
        var error = (await Answer.OfAsync(await client.SendAsync(request))).Json.GetProperty("error");
        Assert.Equal(("result_too_large", "/do/0"), (error.GetProperty("code").GetString(), error.GetProperty("path").GetString()));
        // Each is {"rows":[{"x":"…"}],"row_count":1}, and the array has its brackets and commas.
        var total = (120 * (1_000_000 + 33)) + 121;
        Assert.Equal($"the result takes {total:N0} bytes; at most 1,048,576 are allowed", error.GetProperty("message").GetString());
    }

    // A heap that holds a fraction of what these tests would have it read at once.
    private ServerProcess Small() => ServerProcess.StartOn(
        connection, Key, ("DOTNET_gcServer", "0"), ("DOTNET_GCHeapHardLimit", "0x5000000"), ("Millrace__Pump__MaxInstances", "4"));
}
