using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Millrace.Chaos;
using Millrace.Tests.Support;

namespace Millrace.Tests.Samples;

/// <summary>Every sample does what its description says, on a real server. (The demo's own is run by the demo's test.)</summary>
public sealed class SampleTests(SampleFixture fixture) : IClassFixture<SampleFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task Etl_conditional_load()
    {
        await SqlAsync("insert into sample.staging (customer, amount) values ('ada', 10), ('ada', 5), ('bob', 7)");
        Assert.Equal("""{"loaded":3,"customers":2,"rejected":0}""", await ResultAsync("etl-conditional-load"));
        Assert.Equal(15m, await ScalarAsync<decimal>("select amount from sample.revenue where customer = 'ada'"));
        Assert.Equal("""{"loaded":0,"rejected":0}""", await ResultAsync("etl-conditional-load"));
        await SqlAsync("insert into sample.staging (customer, amount) values ('eve', -1), ('ada', 1)");
        Assert.Equal("""{"loaded":0,"rejected":2}""", await ResultAsync("etl-conditional-load"));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from sample.rejected where jsonb_array_length(batch) = 2"));
    }

    [Fact]
    public async Task Approval_is_given_after_a_reminder()
    {
        var id = await StartAsync("approval", """{"approver":"ada","request":"a new wheel"}""");
        await WaitsForAsync(id, "/do/1");
        await TimeTravel.PassAsync(fixture.ConnectionString, id);
        await WaitsForAsync(id, "/do/2/then/1");
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from sample.outbox where recipient = 'ada'"));
        await server.PostAsync($"instances/{id}/signals/decision", """{"approved":true,"by":"ada"}""");
        Assert.Equal("""{"approved":true,"by":"ada"}""", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Approval_is_given_up_at_the_deadline()
    {
        var id = await StartAsync("approval", """{"approver":"bob","request":"a new wheel"}""");
        await WaitsForAsync(id, "/do/1");
        await TimeTravel.PassAsync(fixture.ConnectionString, id);
        await WaitsForAsync(id, "/do/2/then/1");
        await TimeTravel.PassAsync(fixture.ConnectionString, id);
        Assert.Equal("""{"approved":false,"timed_out":true}""", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
    }

    [Fact]
    public async Task Fan_out_aggregation()
    {
        await SqlAsync("insert into sample.shops (name) select 'shop ' || n from generate_series(1, 30) as n; insert into sample.sales select id, '2026-11-20', id from sample.shops, generate_series(1, 3)");
        Assert.Equal("""{"shops":30,"amount":1395}""", await ResultAsync("fan-out-aggregation", """{"day":"2026-11-20"}"""));
    }

    [Fact]
    public async Task Poll_with_backoff()
    {
        await using var api = await Receiver.StartAsync(async (context, count) =>
        {
            context.Response.StatusCode = context.Request.Method == "POST" ? 202 : 200;
            await context.Response.WriteAsJsonAsync<object>(context.Request.Method == "POST"
                ? new { id = 7 }
                : count < 3 ? new { status = "running" } : new { status = "done", result = new { rows = 12 } });
        });
        Assert.Equal("""{"rows":12}""", await ResultAsync("poll-with-backoff", $$"""{"api":"{{api.Address}}","report":"sales"}"""));
        Assert.Equal(["/jobs", "/jobs/7", "/jobs/7"], api.Requests.Select(request => request.Path));
    }

    [Fact]
    public async Task Nightly_maintenance()
    {
        await SqlAsync("insert into sample.sessions (expires_at) select now() - interval '40 days' from generate_series(1, 100); insert into sample.sessions (expires_at) select now()");
        var id = await StartAsync("nightly-maintenance");
        await WaitsForAsync(id, "/do/0/loop/0");
        var wait = (await server.InstanceAsync(id)).GetProperty("waiting_on")[0];
        Assert.Equal("schedule", wait.GetProperty("reason").GetString());
        var local = TimeZoneInfo.ConvertTime(wait.GetProperty("until").GetDateTimeOffset(), TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"));
        Assert.Equal(new TimeSpan(3, 30, 0), local.TimeOfDay);

        await TimeTravel.PassAsync(fixture.ConnectionString, id);
        await TestServer.EventuallyAsync(
            async () => (await server.InstanceAsync(id)).GetProperty("waiting_on") is var waits && waits.GetArrayLength() == 1 && waits[0].GetProperty("iteration").GetInt32() == 1, "the next night");
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from sample.sessions"));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from sample.maintenance where ok"));
        await server.PostAsync($"instances/{id}/cancel", null);
    }

    [Fact]
    public async Task Trip_saga_books_everything_or_nothing()
    {
        await using var cars = await Receiver.StartAsync(async (context, _) =>
        {
            context.Response.StatusCode = context.Request.Method == "POST" ? 201 : 204;
            if (context.Request.Method == "POST")
                await context.Response.WriteAsJsonAsync(new { id = "c1" });
        });
        await SqlAsync("insert into sample.inventory values ('flight Rome', 2), ('hotel Rome', 1), ('flight Oslo', 1), ('hotel Oslo', 0)");
        Assert.Equal("""{"flight":"flight Rome","hotel":"hotel Rome","car":"c1"}""", await ResultAsync("trip-saga", $$"""{"to":"Rome","cars_url":"{{cars.Address}}"}"""));

        var failed = await RunAsync("trip-saga", $$"""{"to":"Oslo","cars_url":"{{cars.Address}}"}""");
        Assert.Equal("no hotel in Oslo", failed.GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(1, await ScalarAsync<int>("select free from sample.inventory where item = 'flight Oslo'"));
        Assert.Equal(0, await ScalarAsync<int>("select free from sample.inventory where item = 'hotel Oslo'"));
    }

    [Fact]
    public async Task Trip_saga_gives_back_a_car_that_is_booked_after_the_hotel_was_not()
    {
        var id = new TaskCompletionSource<string>();
        await using var cars = await Receiver.StartAsync(async (context, _) =>
        {
            if (context.Request.Method != "POST")
            {
                context.Response.StatusCode = 204;
                return;
            }

            // The booking is taken, but its answer comes when the hotel has failed already.
            var failed = await id.Task;
            await TestServer.EventuallyAsync(async () => (await server.NodesAsync(failed)).Any(node => node.GetProperty("kind").GetString() == "fail"), "the hotel is full");
            context.Response.StatusCode = 201;
            await context.Response.WriteAsJsonAsync(new { id = "c2" });
        });
        await SqlAsync("insert into sample.inventory values ('flight Bergen', 1), ('hotel Bergen', 0)");
        id.SetResult(await StartAsync("trip-saga", $$"""{"to":"Bergen","cars_url":"{{cars.Address}}"}"""));
        var instance = await server.InstanceAsync(await id.Task, "30s");
        Assert.Equal(("failed", "no hotel in Bergen"), (instance.GetProperty("status").GetString(), instance.GetProperty("error").GetProperty("message").GetString()));
        Assert.Equal(["POST /bookings", "DELETE /bookings/c2"], cars.Requests.Select(request => $"{request.Method} {request.Path}"));
        Assert.Equal(1, await ScalarAsync<int>("select free from sample.inventory where item = 'flight Bergen'"));
    }

    [Fact]
    public async Task Drain_queue()
    {
        await using var target = await Receiver.StartAsync((context, _) =>
        {
            context.Response.StatusCode = context.Request.Headers.ContentLength > 12 ? 422 : 202;
            return Task.CompletedTask;
        });
        await SqlAsync("insert into sample.messages (payload) select jsonb_build_object('n', n) from generate_series(1, 24) as n; insert into sample.messages (payload) values ('{\"n\": \"is too long\"}')");
        Assert.Equal("""{"messages":25}""", await ResultAsync("drain-queue", $$"""{"url":"{{target.Address}}"}"""));
        Assert.Equal(24, await ScalarAsync<long>("select count(*) from sample.messages where done_at is not null"));
        Assert.Contains("answered 422", await ScalarAsync<string>("select failed from sample.messages where failed is not null"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Webhook_callback_is_booked()
    {
        await using var provider = await ProviderAsync();
        var id = await StartAsync("webhook-callback", $$"""{"provider":"{{provider.Address}}","callback":"{{server.Address}}","amount":12.5}""");
        await WaitsForAsync(id, "/do/1/race/0/0");
        var callback = JsonElement.Parse(provider.Requests.First().Body).GetProperty("callback").GetString()!;
        await server.PostAsync(callback[$"{server.Address}/api/v1/".Length..], """{"status":"paid","by":"card"}""");
        Assert.Equal("""{"paid":12.5,"by":"card"}""", (await server.InstanceAsync(id, "30s")).GetProperty("result").GetRawText());
        Assert.Equal(12.5m, await ScalarAsync<decimal>($"select amount from sample.payments where reference = '{id}'"));
    }

    [Fact]
    public async Task Webhook_callback_that_never_comes_calls_the_payment_off()
    {
        await using var provider = await ProviderAsync();
        var id = await StartAsync("webhook-callback", $$"""{"provider":"{{provider.Address}}","callback":"{{server.Address}}","amount":1}""");
        await WaitsForAsync(id, "/do/1/race/0/0");
        await TimeTravel.PassAsync(fixture.ConnectionString, id);
        Assert.Equal("no call-back within half an hour", (await server.InstanceAsync(id, "30s")).GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(["POST /payments", "DELETE /payments/p1"], provider.Requests.Select(request => $"{request.Method} {request.Path}"));
    }

    [Fact]
    public async Task Embed_documents()
    {
        await using var service = await Receiver.StartAsync(async (context, _) =>
        {
            var documents = (await JsonDocument.ParseAsync(context.Request.Body)).RootElement.GetProperty("documents");
            await context.Response.WriteAsJsonAsync(new { embeddings = documents.EnumerateArray().Select(document => new { id = document.GetProperty("id").GetInt64(), vector = new[] { 0.5, document.GetProperty("text").GetString()!.Length } }) });
        });
        await SqlAsync("insert into sample.documents (body) select repeat('x', n) from generate_series(1, 45) as n");
        Assert.Equal("""{"embedded":45}""", await ResultAsync("embed-documents", $$"""{"service":"{{service.Address}}"}"""));
        Assert.Equal(3, service.Requests.Count);
        Assert.Equal(45, await ScalarAsync<long>("select count(*) from sample.documents where (embedding->>1)::int = length(body)"));
        Assert.Equal("""{"embedded":0}""", await ResultAsync("embed-documents", $$"""{"service":"{{service.Address}}"}"""));
    }

    [Fact]
    public async Task Month_end_report_over_sub_workflows()
    {
        await PutAsync("region-report");
        await SqlAsync("insert into sample.regional_sales select region, '2026-10-15', n from unnest(array['north', 'south', 'online']) as region, generate_series(1, 4) as n");
        Assert.Equal(
            """{"total": 30, "regions": [{"sales": 4, "amount": 10, "region": "north"}, {"sales": 4, "amount": 10, "region": "online"}, {"sales": 4, "amount": 10, "region": "south"}]}""",
            await ResultAsync("month-end-report", """{"month":"2026-10"}"""));
        var failed = await RunAsync("month-end-report", """{"month":"2026-09"}""");
        Assert.Contains("no sales in", failed.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_a_test_for_every_sample()
    {
        var samples = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "samples"), "*.json").Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal);
        Assert.Equal(
            [
                "approval", "drain-queue", "embed-documents", "etl-conditional-load", "fan-out-aggregation", "month-end-report", "nightly-maintenance",
                "order-fulfilment", "poll-with-backoff", "region-report", "trip-saga", "webhook-callback",
            ],
            samples);
    }

    private static Task<Receiver> ProviderAsync() => Receiver.StartAsync(async (context, _) =>
    {
        context.Response.StatusCode = 201;
        await context.Response.WriteAsJsonAsync(new { id = "p1" });
    });

    private Task SqlAsync(string sql) => TestCluster.ExecuteAsync(fixture.ConnectionString, sql);

    private Task<T> ScalarAsync<T>(string sql) => TestCluster.ScalarAsync<T>(fixture.ConnectionString, sql);

    private async Task PutAsync(string name)
    {
        var answer = await server.PutAsync($"workflows/{name}", await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "samples", $"{name}.json")));
        Assert.True((int)answer.Status is 200 or 201, answer.Text);
    }

    private async Task<JsonElement> RunAsync(string name, string input = "null")
    {
        var id = await StartAsync(name, input);
        return await server.InstanceAsync(id, "30s");
    }

    private async Task<string> ResultAsync(string name, string input = "null")
    {
        var instance = await RunAsync(name, input);
        Assert.True(instance.GetProperty("status").GetString() == "completed", instance.GetRawText());
        return instance.GetProperty("result").GetRawText();
    }

    private async Task<string> StartAsync(string name, string input = "null")
    {
        await PutAsync(name);
        var answer = await server.PostAsync("instances", $$"""{"workflow":"{{name}}","input":{{input}}}""");
        return answer.Json.GetProperty("id").GetString()!;
    }

    private Task WaitsForAsync(string id, string path) => TestServer.EventuallyAsync(
        async () => (await server.InstanceAsync(id)).GetProperty("waiting_on").EnumerateArray().Any(wait => wait.GetProperty("path").GetString() == path), $"it waits at {path}");
}

/// <summary>A server on the samples' tables.</summary>
public sealed class SampleFixture : IAsyncLifetime
{
    public string ConnectionString { get; private set; } = "";

    public TestServer Server { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        ConnectionString = await TestCluster.CreateDatabaseAsync();
        await TestCluster.ExecuteAsync(ConnectionString, await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "samples", "tables.sql")));
        Server = await TestServer.StartAsync(ConnectionString, ("Pump:PollInterval", "00:00:00.100"));
    }

    public async Task DisposeAsync()
    {
        await Server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(ConnectionString);
    }
}
