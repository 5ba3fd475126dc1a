using Microsoft.AspNetCore.Http;
using Millrace.Store;

namespace Millrace.Api.Handlers;

/// <summary>Calls of load balancers.</summary>
public sealed class HealthHandlers(StoreHealth health)
{
    /// <summary>GET /health: whether the process answers at all.</summary>
    public Task<IResult> AliveAsync(HttpRequest request, CancellationToken cancel) =>
        Task.FromResult(Answers.Json(new("ok", []), ApiJson.Relaxed.HealthResponse));

    /// <summary>GET /health/ready: whether it can serve, and why not.</summary>
    public async Task<IResult> ReadyAsync(HttpRequest request, CancellationToken cancel)
    {
        var reasons = await health.ReasonsAsync(cancel);
        return reasons.Count == 0
            ? Answers.Json(new("ok", reasons), ApiJson.Relaxed.HealthResponse)
            : new WithHeaders(
                Answers.Json(new("unavailable", reasons), ApiJson.Relaxed.HealthResponse, StatusCodes.Status503ServiceUnavailable), ("Retry-After", "2"));
    }
}
