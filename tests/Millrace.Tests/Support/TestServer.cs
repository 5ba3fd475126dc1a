using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Server;
using Millrace.Store;

namespace Millrace.Tests.Support;

/// <summary>A server on a database: the whole product, listening on a port of its own, and a client with its key.</summary>
public sealed class TestServer : IAsyncDisposable
{
    private readonly ServerApp app;

    private TestServer(ServerApp app, string key)
    {
        this.app = app;
        Key = key;
        Address = app.Web.Urls.First();
        Client = ClientWith(key);
    }

    public string Key { get; }

    public string Address { get; }

    public HttpClient Client { get; }

    public IServiceProvider Services => app.Web.Services;

    public static Task<TestServer> StartAsync(string connectionString, params (string Name, string Value)[] settings) =>
        StartWithAsync(connectionString, null, settings);

    /// <summary>A server with services of its own.</summary>
    public static async Task<TestServer> StartWithAsync(
        string connectionString, Action<IServiceCollection>? register, params (string Name, string Value)[] settings)
    {
        var key = settings.FirstOrDefault(setting => setting.Name == "ApiKey").Value ?? KeyStore.NewKey();
        var app = await ServerApp.BuildAsync(
            "http://127.0.0.1:0",
            configuration =>
            {
                configuration["Millrace:ConnectionString"] = connectionString;
                configuration["Millrace:ApiKey"] = key;
                configuration["Millrace:Http:AllowPrivateNetworks"] = "true";
                configuration["Logging:LogLevel:Default"] = "None";
                foreach (var (name, value) in settings)
                    configuration[$"Millrace:{name}"] = value;
            },
            _ => { },
            CancellationToken.None,
            register);
        await app.Web.StartAsync();
        return new(app, key);
    }

    public HttpClient ClientWith(string? key)
    {
        var client = new HttpClient { BaseAddress = new($"{Address}/api/v1/"), Timeout = TimeSpan.FromSeconds(100) };
        if (key is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    public Task<Answer> GetAsync(string path, string? accept = null) => SendAsync(HttpMethod.Get, path, null, accept is null ? [] : [("Accept", accept)]);

    public Task<Answer> PostAsync(string path, string? body, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Post, path, body, headers);

    public Task<Answer> PutAsync(string path, string body) => SendAsync(HttpMethod.Put, path, body);

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
        {
            if (name == "Content-Type")
                request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(value);
            else
                request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await Client.SendAsync(request);
        return await Answer.OfAsync(response);
    }

    /// <summary>Starts a definition and waits for its end; returns the instance.</summary>
    public async Task<JsonElement> RunAsync(string definition, string? input = null)
    {
        var answer = await PostAsync("instances", $$"""{"definition":{{definition}}{{(input is null ? "" : $",\"input\":{input}")}}}""", ("Prefer", "wait=60"));
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return answer.Json;
    }

    /// <summary>Runs nodes in sequence; returns the instance.</summary>
    public Task<JsonElement> RunNodesAsync(string nodes, string? input = null) => RunAsync($$"""{"do":[{{nodes}}]}""", input);

    /// <summary>Starts a definition; returns its id.</summary>
    public async Task<string> StartInstanceAsync(string definition, string more = "")
    {
        var answer = await PostAsync("instances", $$"""{"definition":{{definition}}{{more}}}""");
        Assert.True(answer.Status is HttpStatusCode.Accepted, answer.Text);
        return answer.Json.GetProperty("id").GetString()!;
    }

    public async Task<JsonElement> InstanceAsync(string id, string wait = "0s") => (await GetAsync($"instances/{id}?wait={wait}")).Json;

    public async Task<List<JsonElement>> NodesAsync(string id) =>
        [.. (await GetAsync($"instances/{id}/nodes?limit=1000")).Json.GetProperty("data").EnumerateArray()];

    /// <summary>Looks until something holds; fails when it does not within half a minute.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> holds, string what)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await holds())
        {
            Assert.False(limit.IsCancellationRequested, $"never: {what}");
            await Task.Delay(20);
        }
    }

    public T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await app.Web.StopAsync();
        await app.DisposeAsync();
    }
}

/// <summary>An answer, read to its end.</summary>
public sealed record Answer(HttpStatusCode Status, string Text, string? ContentType, HttpResponseHeaders Headers)
{
    public JsonElement Json => JsonElement.Parse(Text, new JsonDocumentOptions { MaxDepth = 10_000 });

    public static async Task<Answer> OfAsync(HttpResponseMessage response) => new(
        response.StatusCode, await response.Content.ReadAsStringAsync(), response.Content.Headers.ContentType?.MediaType, response.Headers);
}
