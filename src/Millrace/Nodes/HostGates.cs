using System.Collections.Concurrent;
using Millrace.Configuration;
using Polly;

namespace Millrace.Nodes;

/// <summary>What stands before the requests to one host: a limit on how many are under way, and a circuit breaker.</summary>
internal sealed record HostGate(SemaphoreSlim Places, ResiliencePipeline<HttpResponseMessage> Breaker);

/// <summary>A gate for each host, made on first use.</summary>
internal sealed class HostGates(HttpOptions settings, TimeProvider time)
{
    // Hosts come from workflows, so there may be any number; a forgotten gate only forgets that its host was failing.
    private const int Most = 4096;
    private readonly ConcurrentDictionary<string, HostGate> gates = new(StringComparer.OrdinalIgnoreCase);

    public HostGate For(Uri address)
    {
        if (gates.Count >= Most)
            gates.Clear();
        return gates.GetOrAdd(address.Authority, _ => Make());
    }

    private HostGate Make() => new(
        new(settings.ConcurrencyPerHost),
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddCircuitBreaker(new()
            {
                FailureRatio = 0.9,
                MinimumThroughput = settings.BreakerFailures,
                SamplingDuration = TimeSpan.FromSeconds(30),
                BreakDuration = settings.BreakerPause,
                ShouldHandle = static outcome => new(
                    outcome.Outcome.Exception is HttpRequestException { InnerException: not EgressRefusedException }
                    || outcome.Outcome.Result is { StatusCode: >= System.Net.HttpStatusCode.InternalServerError }),
            })
            .Build());
}
