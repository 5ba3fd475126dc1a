using Millrace.Chaos;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>What is given up while it is being executed, on real workers, which may be replaced meanwhile.</summary>
public sealed class GivenUpTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task A_cancelled_instance_whose_worker_stops_during_its_compensations_is_undone_by_the_next_one()
    {
        var asked = new TaskCompletionSource();
        await using var api = await StartApiAsync(asked);
        string id;
        await using (var first = await TestServer.StartAsync(connection, ("Pump:Grace", "00:00:00.100")))
        {
            id = await first.StartInstanceAsync($$"""{"do":[{"sql":"select 1","compensate":[{"http":"{{api.Address}}/undo"}]},{"waitForSignal":"x"}]}""");
            await TestServer.EventuallyAsync(async () => (await first.InstanceAsync(id)).GetProperty("status").GetString() == "waiting", "it waits");
            await first.PostAsync($"instances/{id}/cancel", null);
            await asked.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        await using var next = await TestServer.StartAsync(connection);
        Assert.Equal("cancelled", (await next.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(2, api.Requests.Count);
    }

    [Fact]
    public async Task A_request_that_is_given_up_is_made_again_by_the_next_worker_and_then_undone()
    {
        var asked = new TaskCompletionSource();
        await using var api = await StartApiAsync(asked);
        string id;
        await using (var first = await TestServer.StartAsync(connection, ("Pump:Grace", "00:00:00.100")))
        {
            id = await first.StartInstanceAsync($$"""{"do":[{"http":"{{api.Address}}/book","compensate":[{"http":"{{api.Address}}/undo"}]}]}""");
            await asked.Task.WaitAsync(TimeSpan.FromSeconds(30));
            await first.PostAsync($"instances/{id}/cancel", null);
        }

        await using var next = await TestServer.StartAsync(connection);
        Assert.Equal("cancelled", (await next.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(["/book", "/book", "/undo"], api.Requests.Select(request => request.Path));
        Assert.Equal(api.Requests.First().Headers["Idempotency-Key"], api.Requests.ElementAt(1).Headers["Idempotency-Key"]);
    }

    [Fact]
    public async Task A_request_whose_worker_was_lost_is_made_again_and_undone_where_the_instance_was_cancelled_meanwhile()
    {
        var asked = new TaskCompletionSource();
        await using var api = await StartApiAsync(asked);
        const string Key = "mr_a_key_for_a_worker_that_is_lost";
        string id;
        await using (var first = ServerProcess.StartOn(
            connection, Key, ("Millrace__Pump__Lease", "00:00:01"), ("Millrace__Http__AllowPrivateNetworks", "true")))
        {
            using var client = await first.ClientAsync(Key);
            using var body = new StringContent(
                $$$"""{"definition":{"do":[{"http":{"url":"{{{api.Address}}}/book","method":"POST"},"compensate":[{"http":{"url":"{{{api.Address}}}/undo","method":"POST"}}]}]}}""",
                System.Text.Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync("instances", body);
            id = System.Text.Json.JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("id").GetString()!;
            await asked.Task.WaitAsync(TimeSpan.FromSeconds(30));
            await first.KillAsync();
        }

        await TestCluster.ExecuteAsync(connection, "update millrace.work set cancel_requested = true, requests = requests + 1");
        await using var next = await TestServer.StartAsync(connection, ("ApiKey", Key));
        Assert.Equal("cancelled", (await next.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(["/book", "/book", "/undo"], api.Requests.Select(request => request.Path));
    }

    [Fact]
    public async Task A_child_whose_parent_is_cancelled_is_told_and_awaited_while_the_parent_does_something_else()
    {
        var release = new TaskCompletionSource();
        await using var api = await Receiver.StartAsync((_, _) => release.Task);
        await using var server = await TestServer.StartAsync(connection);
        await server.PutAsync("workflows/child", """{"do":[{"waitForSignal":"never"}]}""");
        var id = await server.StartInstanceAsync(
            $$"""{"do":[{"join":[[{"http":"{{api.Address}}/book","compensate":[{"http":"{{api.Address}}/undo"}]}],[{"run":"child","compensate":[{"http":"{{api.Address}}/undo-child"}]}]]}]}""");
        const string child = "select count(*) from millrace.outcome where status = 6";
        await TestServer.EventuallyAsync(
            async () => api.Requests.Count == 1 && await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.work where status = 2") == 1, "both are under way");
        await server.PostAsync($"instances/{id}/cancel", null);
        await TestServer.EventuallyAsync(async () => await TestCluster.ScalarAsync<long>(connection, child) == 1, "the child is cancelled");
        release.SetResult();
        Assert.Equal("cancelled", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
        Assert.Equal(["/book", "/undo"], api.Requests.Select(request => request.Path));
    }

    [Fact]
    public async Task A_statement_that_is_given_up_is_undone_where_it_has_committed()
    {
        await TestCluster.ExecuteAsync(connection, "create table booking (n int); create table gate (n int)");
        await using var server = await TestServer.StartAsync(connection);
        await using var locker = new Npgsql.NpgsqlConnection(connection);
        await locker.OpenAsync();
        await using var transaction = await locker.BeginTransactionAsync();
        await using (var take = new Npgsql.NpgsqlCommand("lock table gate", locker, transaction))
            await take.ExecuteNonQueryAsync();
        var id = await server.StartInstanceAsync(
            """{"do":[{"race":[[{"sql":"with g as (select count(*) from gate) insert into booking select 7 from g returning n","as":"b","compensate":[{"sql":"delete from booking where n = {{ b.n }}"}]}],[{"waitForSignal":"x"},{"fail":"late"}]]}]}""");
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into booking%' and datname = current_database())"), "it waits for the lock");
        await server.PostAsync($"instances/{id}/signals/x", "1");
        await TestServer.EventuallyAsync(async () => (await server.NodesAsync(id)).Any(node => node.GetProperty("kind").GetString() == "fail"), "the race is over");
        await transaction.CommitAsync();
        Assert.Equal("late", (await server.InstanceAsync(id, "30s")).GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from booking"));
        Assert.Equal(
            ["failed fail", "failed race", "completed sql", "completed sql"],
            (await server.NodesAsync(id)).Where(node => node.GetProperty("kind").GetString() != "waitForSignal").Select(node => $"{node.GetProperty("status")} {node.GetProperty("kind")}"));
    }

    // The first call ends with the worker that made it.
    private static Task<Receiver> StartApiAsync(TaskCompletionSource asked) => Receiver.StartAsync(async (context, count) =>
    {
        if (count == 1)
        {
            asked.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    });
}
