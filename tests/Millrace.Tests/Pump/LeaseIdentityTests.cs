using System.Text;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>A process that is stopped for longer than its lease, with nobody there who could have taken over.</summary>
public sealed class LeaseIdentityTests : IAsyncLifetime
{
    private const string Key = "mr_a_key_for_workers_that_are_stopped";
    private const int Instances = 60;
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_server_that_was_stopped_for_longer_than_its_lease_goes_on_with_what_nobody_has_taken_over()
    {
        using var open = new SemaphoreSlim(0);
        await using var receiver = await Receiver.StartAsync(async (context, _) => await open.WaitAsync(context.RequestAborted));
        await using var server = ServerProcess.StartOn(
            connection, Key, ("Millrace__Pump__Lease", "00:00:02"), ("Millrace__Http__AllowPrivateNetworks", "true"),
            ("Millrace__Http__ConcurrencyPerHost", "1000"));
        using var client = await server.ClientAsync(Key);
        var item = $$$"""{"definition":{"do":[{"http":{"url":"{{{receiver.Address}}}/","method":"GET"},"retry":{"attempts":1}},{"return":"done"}]}}""";
        using var body = new StringContent($"[{string.Join(',', Enumerable.Repeat(item, Instances))}]", Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("instances/batch", body);
        var ids = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("ids").EnumerateArray().Select(id => id.GetString()!).ToList();
        await TestServer.EventuallyAsync(() => Task.FromResult(receiver.Requests.Count >= Instances), "all requests are under way");

        for (var pause = 0; pause < 2; pause++)
        {
            await server.PauseAsync();
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until < now()) from millrace.work"), "all leases have run out");
            await server.ResumeAsync();
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until > now()) from millrace.work"), "they are renewed");
        }

        open.Release(100 * Instances);
        foreach (var id in ids)
        {
            using var ended = await client.GetAsync($"instances/{id}?wait=30s");
            var instance = JsonElement.Parse(await ended.Content.ReadAsStringAsync());
            Assert.Equal(("completed", "done"), (instance.GetProperty("status").GetString(), instance.GetProperty("result").GetString()));
        }

        Assert.Equal(Instances, receiver.Requests.Count);
    }
}
