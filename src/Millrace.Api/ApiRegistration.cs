using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Handlers;

namespace Millrace.Api;

/// <summary>Puts the API into a host.</summary>
public static class ApiRegistration
{
    /// <summary>Adds the handlers, and what they all go through.</summary>
    public static IServiceCollection AddMillraceApi(this IServiceCollection services)
    {
        services.AddSingleton<ApiGate>();
        services.AddSingleton<DefinitionCache>();
        services.AddSingleton<BodyBudget>();
        services.AddSingleton<StartHandlers>();
        services.AddSingleton<InstanceHandlers>();
        services.AddSingleton<ControlHandlers>();
        services.AddSingleton<WorkflowHandlers>();
        services.AddSingleton<VariableHandlers>();
        services.AddSingleton<HealthHandlers>();
        services.AddSingleton<PumpHandlers>();
        services.AddSingleton<DocumentHandlers>();
        return services;
    }

    /// <summary>Adds what describes the endpoints.</summary>
    internal static IServiceCollection AddMillraceApiDescription(this IServiceCollection services)
    {
        // The description takes its types from here, so it says what the answers are.
        services.Configure<JsonOptions>(options =>
        {
            options.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default);
        });
        return services.AddOpenApi(ApiDescription.DocumentName, ApiDescription.Configure);
    }
}
