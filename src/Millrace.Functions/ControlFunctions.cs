using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;
using Millrace.Waking;

namespace Millrace.Functions;

/// <summary>Calls that tell instances something; most of them make theirs ready.</summary>
public sealed class ControlFunctions(ApiGate gate, ControlHandlers controls, Waker waker)
{
    /// <summary>POST /api/v1/instances/{id}/signals/{name}</summary>
    [Function("SendSignal")]
    public Task<WakingAnswer> SendSignal([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/{id}/signals/{name}")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, controls.SignalAsync));

    /// <summary>POST /api/v1/instances/{id}/cancel</summary>
    [Function("CancelInstance")]
    public Task<WakingAnswer> CancelInstance([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/{id}/cancel")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, controls.CancelAsync));

    /// <summary>POST /api/v1/instances/{id}/suspend</summary>
    [Function("SuspendInstance")]
    public Task<WakingAnswer> SuspendInstance([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/{id}/suspend")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, controls.SuspendAsync));

    /// <summary>POST /api/v1/instances/{id}/resume</summary>
    [Function("ResumeInstance")]
    public Task<WakingAnswer> ResumeInstance([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/{id}/resume")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, controls.ResumeAsync));

    /// <summary>POST /api/v1/instances/{id}/retry</summary>
    [Function("RetryInstance")]
    public Task<WakingAnswer> RetryInstance([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/instances/{id}/retry")] HttpRequest request) =>
        WakingAnswer.OfAsync(waker, () => gate.RunAsync(request, controls.RetryAsync));

    /// <summary>DELETE /api/v1/instances/{id}</summary>
    [Function("DeleteInstance")]
    public Task<IResult> DeleteInstance([HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/instances/{id}")] HttpRequest request) =>
        gate.RunAsync(request, controls.DeleteAsync);
}
