using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;
using Millrace.Waking;

namespace Millrace.Functions;

/// <summary>Calls that start instances.</summary>
public sealed class StartFunctions(ApiGate gate, StartHandlers starts, Waker waker)
{
    /// <summary>POST /api/v1/instances</summary>
    [Function("StartInstance")]
    public Task<WakingAnswer> StartInstance([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, starts.StartAsync));

    /// <summary>POST /api/v1/instances/batch</summary>
    [Function("StartInstances")]
    public Task<WakingAnswer> StartInstances([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/batch")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, starts.StartBatchAsync));
}
