using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;

namespace Millrace.Functions;

/// <summary>Calls that look at instances.</summary>
public sealed class InstanceFunctions(ApiGate gate, InstanceHandlers instances)
{
    /// <summary>GET /api/v1/instances</summary>
    [Function("ListInstances")]
    public Task<IResult> ListInstances([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/instances")] HttpRequest request) =>
        gate.RunAsync(request, instances.ListAsync);

    /// <summary>GET /api/v1/instances/{id}</summary>
    [Function("GetInstance")]
    public Task<IResult> GetInstance([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/instances/{id}")] HttpRequest request) =>
        gate.RunAsync(request, instances.GetAsync);

    /// <summary>GET /api/v1/instances/{id}/nodes</summary>
    [Function("ListNodes")]
    public Task<IResult> ListNodes([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/instances/{id}/nodes")] HttpRequest request) =>
        gate.RunAsync(request, instances.NodesAsync);

    /// <summary>GET /api/v1/instances/{id}/explain</summary>
    [Function("ExplainInstance")]
    public Task<IResult> ExplainInstance([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/instances/{id}/explain")] HttpRequest request) =>
        gate.RunAsync(request, instances.ExplainAsync);
}
