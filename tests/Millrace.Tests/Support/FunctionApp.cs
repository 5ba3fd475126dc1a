using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Millrace.Api;
using Millrace.Functions;
using Millrace.Store;
using Millrace.Waking;

namespace Millrace.Tests.Support;

/// <summary>A function of the app, as its attributes describe it.</summary>
internal sealed record AppFunction(string Name, MethodInfo Method)
{
    public static IReadOnlyList<AppFunction> All { get; } =
    [
        .. typeof(StartFunctions).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods())
            .Select(method => (method, function: method.GetCustomAttribute<FunctionAttribute>()))
            .Where(found => found.function is not null)
            .Select(found => new AppFunction(found.function!.Name, found.method)),
    ];

    public HttpTriggerAttribute? Http => Method.GetParameters()[0].GetCustomAttribute<HttpTriggerAttribute>();

    public TimerTriggerAttribute? Timer => Method.GetParameters()[0].GetCustomAttribute<TimerTriggerAttribute>();

    public QueueTriggerAttribute? Queue => Method.GetParameters()[0].GetCustomAttribute<QueueTriggerAttribute>();
}

/// <summary>What a call of a function has brought.</summary>
internal sealed record FunctionAnswer(int Status, string Text, IHeaderDictionary Headers, string[] Tokens)
{
    public System.Text.Json.JsonElement Json => System.Text.Json.JsonElement.Parse(Text);
}

/// <summary>
/// The function app without a host of functions: its own classes, made and called as the worker would, on a database. What
/// they send is kept.
/// </summary>
internal sealed class FunctionApp : IWakeSender, IAsyncDisposable
{
    private readonly ServiceProvider services;

    private FunctionApp(ServiceCollection collection, string key)
    {
        collection.AddSingleton<IWakeSender>(this);
        services = collection.BuildServiceProvider();
        Key = key;
    }

    public string Key { get; }

    /// <summary>What was sent by the queue's client, and for how long it is to be held back.</summary>
    public ConcurrentQueue<(string Token, TimeSpan Delay)> Sent { get; } = new();

    /// <summary>Told of each token that is sent so.</summary>
    public Action<string>? OnSent { get; set; }

    public static async Task<FunctionApp> StartAsync(string connectionString, params (string Name, string Value)[] settings)
    {
        var key = KeyStore.NewKey();
        var configuration = new ConfigurationManager();
        configuration.AddEnvironmentVariables();
        configuration["Millrace:ConnectionString"] = connectionString;
        configuration["Millrace:ApiKey"] = key;
        configuration["Millrace:Http:AllowPrivateNetworks"] = "true";
        configuration["Millrace:Wake:Linger"] = "00:00:00.200";
        foreach (var (name, value) in settings)
            configuration[$"Millrace:{name}"] = value;
        var collection = new ServiceCollection();
        collection.AddLogging(logging => logging.SetMinimumLevel(LogLevel.None));
        collection.AddSingleton<IConfiguration>(configuration);
        collection.AddMillrace(configuration);
        collection.AddMillraceApi();
        collection.AddMillraceWaking();
        var app = new FunctionApp(collection, key);
        await app.Service<StorePreparation>().PrepareAsync(_ => { }, CancellationToken.None);
        return app;
    }

    public T Service<T>()
        where T : notnull => services.GetRequiredService<T>();

    public Task<FunctionAnswer> PostAsync(string path, string? body, params (string Name, string Value)[] headers) => CallAsync("POST", path, body, headers);

    public Task<FunctionAnswer> GetAsync(string path) => CallAsync("GET", path, null);

    /// <summary>Calls the function that a path and a method lead to.</summary>
    public async Task<FunctionAnswer> CallAsync(string method, string path, string? body, params (string Name, string Value)[] headers)
    {
        var address = new Uri(new Uri("http://localhost/"), path);
        // A route without parameters goes before one with them, as routing has it.
        var (function, values) = AppFunction.All
            .Where(function => function.Http?.Methods.Contains(method, StringComparer.OrdinalIgnoreCase) is true)
            .OrderBy(function => function.Http!.Route!.Count(letter => letter == '{'))
            .Select(function => (function, values: Match(function.Http!.Route!, address.AbsolutePath)))
            .First(found => found.values is not null);

        await using var scope = services.CreateAsyncScope();
        var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        using var written = new MemoryStream();
        context.Response.Body = written;
        var request = context.Request;
        (request.Method, request.Path, request.QueryString) = (method, $"/api/{path}".Split('?')[0], new(address.Query));
        request.RouteValues = values!;
        request.Headers.Authorization = $"Bearer {Key}";
        if (body is not null)
        {
            var bytes = Encoding.UTF8.GetBytes(body);
            (request.Body, request.ContentLength, request.ContentType) = (new MemoryStream(bytes), bytes.Length, "application/json");
        }

        foreach (var (name, value) in headers)
            request.Headers[name] = value;
        var (result, tokens) = await InvokeAsync(function, request) switch
        {
            IResult answer => (answer, []),
            WakingAnswer waking => (waking.Answer, waking.Tokens),
            var other => throw new InvalidOperationException($"{function.Name} returned {other}."),
        };
        await result.ExecuteAsync(context);
        await context.Response.BodyWriter.FlushAsync();
        return new(context.Response.StatusCode, Encoding.UTF8.GetString(written.ToArray()), context.Response.Headers, tokens);
    }

    /// <summary>Delivers a message of the wake queue; returns what goes back into it.</summary>
    public async Task<string[]> WakeAsync(string message, CancellationToken cancel = default) =>
        (string[])(await InvokeAsync(Named("Wake"), message, cancel))!;

    /// <summary>Lets the schedule come; returns what goes into the wake queue.</summary>
    public async Task<string[]> PumpAsync(CancellationToken cancel = default) =>
        (string[])(await InvokeAsync(Named("Pump"), new TimerInfo(), cancel))!;

    public Task MaintainAsync() => InvokeAsync(Named("Maintenance"), new TimerInfo(), CancellationToken.None);

    public async Task<string> StatusAsync(string id) => (await GetAsync($"v1/instances/{id}")).Json.GetProperty("status").GetString()!;

    public async ValueTask DisposeAsync() => await services.DisposeAsync();

    Task IWakeSender.SendAsync(string token, TimeSpan delay, CancellationToken cancel)
    {
        Sent.Enqueue((token, delay));
        OnSent?.Invoke(token);
        return Task.CompletedTask;
    }

    private static AppFunction Named(string name) => AppFunction.All.Single(function => function.Name == name);

    private async Task<object?> InvokeAsync(AppFunction function, params object[] arguments)
    {
        var instance = ActivatorUtilities.CreateInstance(services, function.Method.DeclaringType!);
        var task = (Task)function.Method.Invoke(instance, arguments)!;
        await task;
        return task.GetType().GetProperty("Result")?.GetValue(task);
    }

    private static RouteValueDictionary? Match(string route, string path)
    {
        var values = new RouteValueDictionary();
        return new TemplateMatcher(TemplateParser.Parse(route), []).TryMatch(path, values) ? values : null;
    }
}
