using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;

namespace Millrace.Functions;

/// <summary>Calls about variables.</summary>
public sealed class VariableFunctions(ApiGate gate, VariableHandlers variables)
{
    /// <summary>GET /api/v1/vars/{name}</summary>
    [Function("GetVariable")]
    public Task<IResult> GetVariable([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/vars/{name}")] HttpRequest request) =>
        gate.RunAsync(request, variables.GetAsync);

    /// <summary>PUT /api/v1/vars/{name}</summary>
    [Function("PutVariable")]
    public Task<IResult> PutVariable([HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/vars/{name}")] HttpRequest request) =>
        gate.RunAsync(request, variables.PutAsync);

    /// <summary>DELETE /api/v1/vars/{name}</summary>
    [Function("DeleteVariable")]
    public Task<IResult> DeleteVariable([HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/vars/{name}")] HttpRequest request) =>
        gate.RunAsync(request, variables.DeleteAsync);
}
