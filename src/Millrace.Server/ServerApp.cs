using Microsoft.Extensions.Logging.Console;
using Millrace.Api;
using Millrace.Azure;
using Millrace.Configuration;
using Millrace.Server.LocalPostgres;
using Millrace.Store;

namespace Millrace.Server;

/// <summary>The server: settings, a PostgreSQL, the engine and the API, put together.</summary>
internal sealed class ServerApp : IAsyncDisposable
{
    /// <summary>Where the server listens unless it is told otherwise.</summary>
    public const string DefaultUrl = "http://127.0.0.1:7071";

    private readonly ILocalServer? local;

    private ServerApp(WebApplication web, ILocalServer? local, string? newKey) => (Web, this.local, NewKey) = (web, local, newKey);

    /// <summary>The host.</summary>
    public WebApplication Web { get; }

    /// <summary>An API key that was made up at this start; it is never to be had again.</summary>
    public string? NewKey { get; }

    /// <summary>What the server itself runs as its store; null where a connection string was given.</summary>
    public string? LocalDescription => local?.Description;

    /// <summary>Puts the server together and makes the store ready; it does not listen yet.</summary>
    /// <param name="urls">Where to listen; null for the environment's word or the default.</param>
    /// <param name="configure">Has the last word on settings.</param>
    /// <param name="announce">Takes a line for each step that may last.</param>
    /// <param name="cancel">Gives up.</param>
    /// <param name="register">Adds services of the host's own, handlers of <c>call</c> nodes among them.</param>
    public static async Task<ServerApp> BuildAsync(
        string? urls, Action<IConfigurationManager> configure, Action<string> announce, CancellationToken cancel,
        Action<IServiceCollection>? register = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseUrls(urls ?? builder.Configuration["urls"] ?? DefaultUrl);
        builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.ColorBehavior) = (true, LoggerColorBehavior.Default));
        // It has nothing to say that the API would not say itself, and makes an activity for each request as long as it may.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        configure(builder.Configuration);
        var settings = SettingsReader.Read(builder.Configuration);

        ILocalServer? local = null;
        try
        {
            if (string.IsNullOrWhiteSpace(settings.ConnectionString))
            {
                announce("Starting a local PostgreSQL …");
                local = await LocalServers.StartAsync(settings, cancel);
                announce(local.Description);
                builder.Configuration["Millrace:ConnectionString"] = LocalRoles.ForStore(local.ConnectionString);
                if (!settings.Connections.ContainsKey(ConnectionStrings.Default))
                    builder.Configuration[$"Millrace:Connections:{ConnectionStrings.Default}"] = LocalRoles.ForNodes(local.ConnectionString);
            }

            register?.Invoke(builder.Services);
            var web = Compose(builder, settings);
            var newKey = await web.Services.GetRequiredService<StorePreparation>().PrepareAsync(announce, cancel);
            return new(web, local, newKey);
        }
        catch
        {
            if (local is not null)
                await local.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops everything; the local PostgreSQL last.</summary>
    public async ValueTask DisposeAsync()
    {
        // A start that failed half-way leaves behind what had begun before it, the pump among it.
        await Web.StopAsync();
        await Web.DisposeAsync();
        Npgsql.NpgsqlConnection.ClearAllPools();
        if (local is not null)
            await local.DisposeAsync();
    }

    private static WebApplication Compose(WebApplicationBuilder builder, MillraceOptions settings)
    {
        builder.Services.AddMillrace(builder.Configuration);
        builder.Services.AddMillracePump();
        builder.Services.AddEntraLogin(builder.Configuration);
        builder.Services.AddMillraceApi();
        builder.Services.AddProblemDetails();
        builder.Services.Configure<HostOptions>(host =>
        {
            // The pump's own grace, and a little for everything else. Nobody's calls are to keep the pump from letting go in time.
            host.ShutdownTimeout = settings.Pump.Grace + TimeSpan.FromSeconds(10);
            host.ServicesStopConcurrently = true;
        });

        var web = builder.Build();
        web.UseStatusCodePages();
        web.MapMillraceApi();
        return web;
    }
}
