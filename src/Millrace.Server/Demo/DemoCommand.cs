using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Millrace.Api;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Server.Demo;

/// <summary>
/// Shows the product in one command: sample tables, a sample workflow started over the API like any other, its nodes
/// drawn as they run, its result, and what to try next.
/// </summary>
internal static class DemoCommand
{
    private const string ShipmentsRoute = "/demo/shipments";

    public static async Task<int> RunAsync(string? urls, bool exit, CancellationToken cancel)
    {
        var key = "";
        await using var app = await ServerApp.BuildAsync(urls, configuration => key = Configure(configuration), Console.WriteLine, cancel);
        MapShipments(app.Web);
        await CreateTablesAsync(app.Web.Services, cancel);
        await app.Web.StartAsync(cancel);

        var address = app.Web.Urls.First();
        using var client = new HttpClient { BaseAddress = new(address) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        var id = await StartAsync(client, address, cancel);
        var status = await DemoScreen.WatchAsync(client, id, cancel);
        await PrintResultAsync(client, id, cancel);
        PrintNextSteps(address, key, id);

        if (!exit)
        {
            Console.WriteLine($"Serving on {address}; stop with Ctrl+C.");
            await app.Web.WaitForShutdownAsync(cancel);
        }
        else
        {
            await app.Web.StopAsync(CancellationToken.None);
        }

        return status == "completed" ? 0 : 1;
    }

    // The workflow calls this very process, which is a private address; everything else stays as the operator set it.
    private static string Configure(IConfigurationManager configuration)
    {
        configuration["Millrace:Http:AllowPrivateNetworks"] = "true";
        return configuration["Millrace:ApiKey"] ??= KeyStore.NewKey();
    }

    // Stands for the carrier's API.
    private static void MapShipments(WebApplication web) => web
        .MapPost(ShipmentsRoute, (HttpRequest request) =>
        {
            var key = request.Headers["Idempotency-Key"].ToString();
            var tracking = $"MR-{key[..8].ToUpperInvariant()}";
            return Results.Json(new JsonObject { ["tracking"] = tracking, ["carrier"] = "Millrace Demo Parcels" }, statusCode: StatusCodes.Status201Created);
        })
        .ExcludeFromDescription();

    // They belong to the login that the workflow's statements have.
    private static async Task CreateTablesAsync(IServiceProvider services, CancellationToken cancel)
    {
        var settings = services.GetRequiredService<IOptions<MillraceOptions>>().Value;
        var connection = ConnectionStrings.OfNodes(settings).First(named => named.Key == ConnectionStrings.Default).Value!;
        await using var source = DataSources.Create(connection, services.GetService<IDatabaseLogin>());
        foreach (var statement in (await ResourceAsync("demo.sql", cancel)).Split(";\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            await using var command = source.CreateCommand(statement);
            await command.ExecuteNonQueryAsync(cancel);
        }
    }

    private static async Task<string> StartAsync(HttpClient client, string address, CancellationToken cancel)
    {
        var body = new JsonObject
        {
            ["definition"] = JsonNode.Parse(await ResourceAsync("order-fulfilment.json", cancel)),
            ["label"] = "demo",
            ["input"] = new JsonObject { ["shipping_url"] = $"{address}{ShipmentsRoute}" },
        };
        using var content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue("application/json"));
        using var response = await client.PostAsync($"{ApiRoutes.Base}/instances", content, cancel);
        var answer = await response.Content.ReadAsStringAsync(cancel);
        if (!response.IsSuccessStatusCode)
            throw new InvalidOperationException($"The sample could not be started: {answer}");
        return JsonDocument.Parse(answer).RootElement.GetProperty("id").GetString()!;
    }

    private static async Task PrintResultAsync(HttpClient client, string id, CancellationToken cancel)
    {
        using var document = JsonDocument.Parse(await client.GetStringAsync($"{ApiRoutes.Base}/instances/{id}", cancel));
        var instance = document.RootElement;
        var took = instance.GetProperty("ended_at").GetDateTimeOffset() - instance.GetProperty("created_at").GetDateTimeOffset();
        var what = instance.GetProperty("result").ValueKind is JsonValueKind.Null ? "error" : "result";
        Console.WriteLine();
        Console.WriteLine($"{instance.GetProperty("status").GetString()} after {took.TotalSeconds:0.00} s, {what}: {instance.GetProperty(what).GetRawText()}");
    }

    private static void PrintNextSteps(string address, string key, string id) => Console.WriteLine($$$"""

        Try next:
          export KEY={{{key}}}
          curl -s {{{address}}}/api/v1/instances/{{{id}}}/nodes -H "Authorization: Bearer $KEY"
          curl -s {{{address}}}/api/v1/instances/{{{id}}}/explain -H "Authorization: Bearer $KEY" -H 'Accept: text/plain'
          curl -s {{{address}}}/api/v1/instances -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
            -H 'Prefer: wait=10' -d '{"definition":{"do":[{"sql":"select now() as at, {{ input.name }} as hello"}]},"input":{"name":"you"}}'

        """);

    private static async Task<string> ResourceAsync(string name, CancellationToken cancel)
    {
        await using var stream = typeof(DemoCommand).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancel);
    }
}
