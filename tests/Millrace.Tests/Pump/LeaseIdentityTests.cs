using System.Text;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Tests.Support;
using Npgsql;

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
        await using var work = await Work.StartAsync(connection);
        for (var pause = 0; pause < 2; pause++)
        {
            await work.Server.PauseAsync();
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until < now()) from millrace.work"), "all leases have run out");
            await work.Server.ResumeAsync();
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until > now()) from millrace.work"), "they are renewed");
        }

        await work.EndAsync();
        Assert.Equal(Instances, work.Requests);
    }

    [Fact]
    public async Task A_server_that_was_stopped_while_it_renewed_its_leases_asks_again()
    {
        await using var work = await Work.StartAsync(connection);
        await using (var other = new NpgsqlConnection(connection))
        {
            await other.OpenAsync();
            await using var transaction = await other.BeginTransactionAsync();
            await using var hold = new NpgsqlCommand("lock table millrace.work in exclusive mode", other);
            await hold.ExecuteNonQueryAsync();
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, $"select count(*) > 0 {Renewals}"), "a renewal waits");
            await work.Server.PauseAsync();
            // The answer that it finds when it wakes is that its question was lost.
            await TestServer.EventuallyAsync(
                () => TestCluster.ScalarAsync<bool>(connection, $"select bool_and(leased_until < now() - interval '{Lease}') from millrace.work"), "all leases ran out long ago");
            await TestCluster.ExecuteAsync(connection, $"select pg_terminate_backend(pid) {Renewals}");
        }

        await work.Server.ResumeAsync();
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select bool_and(leased_until > now()) from millrace.work"), "they are renewed");
        await work.EndAsync();
        Assert.Equal(Instances, work.Requests);
    }

    private const string Renewals = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '-- Renews leases%'";
    private const string Lease = "00:00:02";

    /// <summary>A server of its own with instances whose requests are under way, and end when they may.</summary>
    private sealed class Work : IAsyncDisposable
    {
        private readonly SemaphoreSlim open = new(0);
        private IReadOnlyList<string> ids = [];
        private Receiver? receiver;
        private HttpClient? client;

        public required ServerProcess Server { get; init; }

        public int Requests => receiver!.Requests.Count;

        public static async Task<Work> StartAsync(string connection)
        {
            var work = new Work
            {
                Server = ServerProcess.StartOn(
                    connection, Key, ("Millrace__Pump__Lease", Lease), ("Millrace__Http__AllowPrivateNetworks", "true"),
                    ("Millrace__Http__ConcurrencyPerHost", "1000")),
            };
            work.receiver = await Receiver.StartAsync(async (context, _) => await work.open.WaitAsync(context.RequestAborted));
            work.client = await work.Server.ClientAsync(Key);
            var item = $$$"""{"definition":{"do":[{"http":{"url":"{{{work.receiver.Address}}}/","method":"GET"},"retry":{"attempts":1}},{"return":"done"}]}}""";
            using var body = new StringContent($"[{string.Join(',', Enumerable.Repeat(item, Instances))}]", Encoding.UTF8, "application/json");
            using var answer = await work.client.PostAsync("instances/batch", body);
            work.ids = [.. JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("ids").EnumerateArray().Select(id => id.GetString()!)];
            await TestServer.EventuallyAsync(() => Task.FromResult(work.Requests >= Instances), "all requests are under way");
            return work;
        }

        public async Task EndAsync()
        {
            open.Release(100 * Instances);
            foreach (var id in ids)
            {
                using var ended = await client!.GetAsync($"instances/{id}?wait=30s");
                var instance = JsonElement.Parse(await ended.Content.ReadAsStringAsync());
                Assert.Equal(("completed", "done"), (instance.GetProperty("status").GetString(), instance.GetProperty("result").GetString()));
            }
        }

        public async ValueTask DisposeAsync()
        {
            client?.Dispose();
            await Server.DisposeAsync();
            if (receiver is not null)
                await receiver.DisposeAsync();
            open.Dispose();
        }
    }
}
