using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;

namespace Millrace.Functions;

/// <summary>Calls of those who run the app: load balancers, monitors, people.</summary>
public sealed class OperationFunctions(ApiGate gate, HealthHandlers health, PumpHandlers pump, DocumentHandlers documents)
{
    /// <summary>GET /api/v1/health</summary>
    [Function("GetHealth")]
    public Task<IResult> GetHealth([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/health")] HttpRequest request) =>
        gate.RunOpenAsync(request, health.AliveAsync);

    /// <summary>GET /api/v1/health/ready</summary>
    [Function("GetReadiness")]
    public Task<IResult> GetReadiness([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/health/ready")] HttpRequest request) =>
        gate.RunOpenAsync(request, health.ReadyAsync);

    /// <summary>GET /api/v1/metrics</summary>
    [Function("GetMetrics")]
    public Task<IResult> GetMetrics([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/metrics")] HttpRequest request) =>
        gate.RunAsync(request, pump.MetricsAsync);

    /// <summary>POST /api/v1/admin/pump</summary>
    [Function("RunPump")]
    public Task<IResult> RunPump([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/admin/pump")] HttpRequest request) =>
        gate.RunAsync(request, pump.RunAsync);

    /// <summary>GET /api/v1/openapi.json</summary>
    [Function("GetOpenApi")]
    public Task<IResult> GetOpenApi([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/openapi.json")] HttpRequest request) =>
        gate.RunOpenAsync(request, documents.OpenApiAsync);
}
