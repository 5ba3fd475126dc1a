using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Millrace.Api.Handlers;

/// <summary>The API's description of itself.</summary>
public sealed class DocumentHandlers
{
    private readonly Lazy<Task<string>> document = new(BuildAsync);

    /// <summary>GET /openapi.json</summary>
    public async Task<IResult> OpenApiAsync(HttpRequest request, CancellationToken cancel) =>
        Answers.Text(await document.Value.WaitAsync(cancel), "application/json; charset=utf-8");

    // Made from the endpoints, which not every host has: so from endpoints of its own, that nobody ever calls.
    private static async Task<string> BuildAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRouting();
        builder.Services.AddMillraceApi();
        builder.Services.AddMillraceApiDescription();
        await using var app = builder.Build();
        app.UseRouting();
        app.MapMillraceApi();
        app.UseEndpoints(_ => { });
        var provider = app.Services.GetRequiredKeyedService<IOpenApiDocumentProvider>(ApiDescription.DocumentName);
        return await (await provider.GetOpenApiDocumentAsync()).SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1);
    }
}
