using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Values;

namespace Millrace.Calls;

/// <summary>A handler under its name.</summary>
/// <param name="Name">The name that <c>call</c> nodes use.</param>
/// <param name="Invoke">Runs it on JSON, with the services of the call's own scope.</param>
internal sealed record CallRegistration(string Name, Func<IServiceProvider, Json, CallContext, CancellationToken, Task<Json>> Invoke);

/// <summary>Registers handlers for <c>call</c> nodes.</summary>
public static class CallRegistrationExtensions
{
    /// <summary>
    /// Registers a handler; it is made anew for each call, in a scope of its own. Its JSON is read and written by
    /// source-generated code, such as <c>MyJson.Default.OrderInput</c>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="name">The name that <c>call</c> nodes use.</param>
    /// <param name="input">How the input is read.</param>
    /// <param name="output">How the result is written.</param>
    public static IServiceCollection AddMillraceCall<THandler, TInput, TOutput>(
        this IServiceCollection services, string name, JsonTypeInfo<TInput> input, JsonTypeInfo<TOutput> output)
        where THandler : class, ICallHandler<TInput, TOutput>
    {
        services.AddScoped<THandler>();
        return services.AddMillraceCall(
            name, input, output, (value, context, provider, cancel) => provider.GetRequiredService<THandler>().HandleAsync(value, context, cancel));
    }

    /// <summary>Registers a function as a handler.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="name">The name that <c>call</c> nodes use.</param>
    /// <param name="input">How the input is read.</param>
    /// <param name="output">How the result is written.</param>
    /// <param name="handle">The function.</param>
    public static IServiceCollection AddMillraceCall<TInput, TOutput>(
        this IServiceCollection services, string name, JsonTypeInfo<TInput> input, JsonTypeInfo<TOutput> output,
        Func<TInput, CallContext, IServiceProvider, CancellationToken, Task<TOutput>> handle) =>
        services.AddSingleton(new CallRegistration(
            name,
            async (provider, value, context, cancel) =>
                CallJson.Write(await handle(CallJson.Read(value, input), context, provider, cancel), output)));
}
