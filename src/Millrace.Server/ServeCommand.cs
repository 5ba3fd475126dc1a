namespace Millrace.Server;

/// <summary>Serves until it is stopped.</summary>
internal static class ServeCommand
{
    public static async Task<int> RunAsync(string? urls, CancellationToken cancel)
    {
        await using var app = await ServerApp.BuildAsync(urls, _ => { }, Console.WriteLine, cancel);
        await app.Web.StartAsync(cancel);
        foreach (var line in Greeting(app))
            Console.WriteLine(line);
        await app.Web.WaitForShutdownAsync(cancel);
        return 0;
    }

    /// <summary>What a newcomer wants to know of a server that has just come up.</summary>
    public static IEnumerable<string> Greeting(ServerApp app)
    {
        foreach (var url in app.Web.Urls)
            yield return $"Millrace serves on {url}{Api.ApiRoutes.Base} (OpenAPI: {url}{Api.ApiRoutes.Base}/openapi.json)";
        if (app.NewKey is { } key)
            yield return $"API key, shown only this once: {key}";
    }
}
