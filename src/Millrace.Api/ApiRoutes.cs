using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Contracts;
using Millrace.Api.Handlers;
using Millrace.Explaining;
using Keyed = System.Func<Microsoft.AspNetCore.Http.HttpRequest, System.Guid, System.Threading.CancellationToken, System.Threading.Tasks.Task<Microsoft.AspNetCore.Http.IResult>>;
using Open = System.Func<Microsoft.AspNetCore.Http.HttpRequest, System.Threading.CancellationToken, System.Threading.Tasks.Task<Microsoft.AspNetCore.Http.IResult>>;

namespace Millrace.Api;

/// <summary>Maps the API's calls to routes.</summary>
public static class ApiRoutes
{
    /// <summary>What every route begins with.</summary>
    public const string Base = "/api/v1";

    /// <summary>Maps every call of the API, and its OpenAPI document.</summary>
    public static IEndpointRouteBuilder MapMillraceApi(this IEndpointRouteBuilder endpoints)
    {
        var api = endpoints.MapGroup(Base);
        MapInstances(api);
        MapControl(api);
        MapWorkflows(api);
        MapVariables(api);
        MapOperations(api);
        return endpoints;
    }

    private static void MapInstances(RouteGroupBuilder api)
    {
        MapKeyed(api, "POST", "/instances", (StartHandlers h) => h.StartAsync, "StartInstance", "Start an instance")
            .Accepts<StartRequestBody>(BodyReader.JsonType)
            .Produces<StartResponse>(StatusCodes.Status202Accepted)
            .Produces<InstanceResponse>()
            .Problems(400, 413, 415, 422);
        MapKeyed(api, "POST", "/instances/batch", (StartHandlers h) => h.StartBatchAsync, "StartInstances", "Start up to 10,000 instances, all or none")
            .Accepts<StartRequestBody[]>(BodyReader.JsonType, BodyReader.NdjsonType)
            .Produces<BatchResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 413, 415, 422);
        MapKeyed(api, "GET", "/instances", (InstanceHandlers h) => h.ListAsync, "ListInstances", "List instances, newest first")
            .Produces<InstancePage>()
            .Problems(400);
        MapKeyed(api, "GET", "/instances/{id}", (InstanceHandlers h) => h.GetAsync, "GetInstance", "Look at an instance, or wait for its end")
            .Produces<InstanceResponse>()
            .Problems(400, 404);
        MapKeyed(api, "GET", "/instances/{id}/nodes", (InstanceHandlers h) => h.NodesAsync, "ListNodes", "List an instance's node executions")
            .Produces<NodePage>()
            .Problems(400, 404);
        MapKeyed(api, "GET", "/instances/{id}/explain", (InstanceHandlers h) => h.ExplainAsync, "ExplainInstance", "Draw an instance as text, Mermaid or JSON")
            .Produces<Explanation>(StatusCodes.Status200OK, BodyReader.JsonType, "text/plain", "text/vnd.mermaid")
            .Problems(404);
    }

    private static void MapControl(RouteGroupBuilder api)
    {
        MapKeyed(api, "POST", "/instances/{id}/signals/{name}", (ControlHandlers h) => h.SignalAsync, "SendSignal", "Send a signal; it is kept until something waits for it")
            .Accepts<object>(isOptional: true, BodyReader.JsonType)
            .Produces<InstanceResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 404, 409, 413, 415, 422, 429);
        MapKeyed(api, "POST", "/instances/{id}/cancel", (ControlHandlers h) => h.CancelAsync, "CancelInstance", "Ask for an instance to be cancelled")
            .Accepts<CancelRequestBody>(isOptional: true, BodyReader.JsonType)
            .Produces<InstanceResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 404, 409, 413, 415, 422);
        MapKeyed(api, "POST", "/instances/{id}/suspend", (ControlHandlers h) => h.SuspendAsync, "SuspendInstance", "Let nothing further of an instance begin")
            .Produces<InstanceResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 404, 409);
        MapKeyed(api, "POST", "/instances/{id}/resume", (ControlHandlers h) => h.ResumeAsync, "ResumeInstance", "Let a suspended instance go on")
            .Produces<InstanceResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 404, 409);
        MapKeyed(api, "POST", "/instances/{id}/retry", (ControlHandlers h) => h.RetryAsync, "RetryInstance", "Let a failed instance go on from the nodes that failed")
            .Produces<InstanceResponse>(StatusCodes.Status202Accepted)
            .Problems(400, 404, 409);
        MapKeyed(api, "DELETE", "/instances/{id}", (ControlHandlers h) => h.DeleteAsync, "DeleteInstance", "Remove an ended instance and its history")
            .Produces(StatusCodes.Status204NoContent)
            .Problems(400, 404, 409);
    }

    private static void MapWorkflows(RouteGroupBuilder api)
    {
        MapKeyed(api, "PUT", "/workflows/{name}", (WorkflowHandlers h) => h.PutAsync, "PutWorkflow", "Store a workflow; new content is a new version")
            .Accepts<object>(BodyReader.JsonType)
            .Produces<WorkflowResponse>()
            .Produces<WorkflowResponse>(StatusCodes.Status201Created)
            .Problems(400, 413, 415, 422);
        MapKeyed(api, "GET", "/workflows", (WorkflowHandlers h) => h.ListAsync, "ListWorkflows", "List workflows by name, each in its newest version")
            .Produces<WorkflowPage>()
            .Problems(400);
        MapKeyed(api, "GET", "/workflows/{name}", (WorkflowHandlers h) => h.GetAsync, "GetWorkflow", "Look at a workflow")
            .Produces<WorkflowResponse>()
            .Problems(400, 404);
        MapKeyed(api, "GET", "/workflows/{name}/versions", (WorkflowHandlers h) => h.VersionsAsync, "ListVersions", "List a workflow's versions, newest first")
            .Produces<WorkflowPage>()
            .Problems(400, 404);
        MapKeyed(api, "POST", "/workflows/validate", (WorkflowHandlers h) => h.ValidateAsync, "ValidateWorkflow", "Check a definition; all errors at once")
            .Accepts<object>(BodyReader.JsonType)
            .Produces<ValidationResponse>()
            .Problems(400, 413, 415, 422);
        MapKeyed(api, "POST", "/workflows/explain", (WorkflowHandlers h) => h.ExplainAsync, "ExplainWorkflow", "Draw a definition as text, Mermaid or JSON")
            .Accepts<object>(BodyReader.JsonType)
            .Produces<Explanation>(StatusCodes.Status200OK, BodyReader.JsonType, "text/plain", "text/vnd.mermaid")
            .Problems(400, 413, 415, 422);
        MapOpen(api, "GET", "/schemas/workflow.json", (WorkflowHandlers h) => h.SchemaAsync, "GetWorkflowSchema", "The JSON Schema of definitions")
            .Produces<object>(StatusCodes.Status200OK, "application/schema+json");
    }

    private static void MapVariables(RouteGroupBuilder api)
    {
        MapKeyed(api, "GET", "/vars/{name}", (VariableHandlers h) => h.GetAsync, "GetVariable", "Look at a variable")
            .Produces<VariableResponse>()
            .Problems(400, 404);
        MapKeyed(api, "PUT", "/vars/{name}", (VariableHandlers h) => h.PutAsync, "PutVariable", "Set a variable")
            .Accepts<VariableRequestBody>(BodyReader.JsonType)
            .Produces<VariableResponse>()
            .Produces<VariableResponse>(StatusCodes.Status201Created)
            .Problems(400, 413, 415, 422);
        MapKeyed(api, "DELETE", "/vars/{name}", (VariableHandlers h) => h.DeleteAsync, "DeleteVariable", "Remove a variable")
            .Produces(StatusCodes.Status204NoContent)
            .Problems(400, 404);
    }

    private static void MapOperations(RouteGroupBuilder api)
    {
        MapKeyed(api, "POST", "/admin/pump", (PumpHandlers h) => h.RunAsync, "RunPump", "Run what is ready, here and now, for a bounded time")
            .Produces<PumpResponse>();
        MapKeyed(api, "GET", "/metrics", (PumpHandlers h) => h.MetricsAsync, "GetMetrics", "Metrics for Prometheus")
            .Produces<string>(StatusCodes.Status200OK, "text/plain");
        MapOpen(api, "GET", "/health", (HealthHandlers h) => h.AliveAsync, "GetHealth", "Whether the process answers")
            .Produces<HealthResponse>();
        MapOpen(api, "GET", "/health/ready", (HealthHandlers h) => h.ReadyAsync, "GetReadiness", "Whether the process can serve, and why not")
            .Produces<HealthResponse>()
            .Produces<HealthResponse>(StatusCodes.Status503ServiceUnavailable);
        MapOpen(api, "GET", "/openapi.json", (DocumentHandlers h) => h.OpenApiAsync, "GetOpenApi", "This description")
            .ExcludeFromDescription();
    }

    private static RouteHandlerBuilder MapKeyed<THandlers>(
        RouteGroupBuilder api, string method, string route, Func<THandlers, Keyed> call, string name, string summary)
        where THandlers : notnull =>
        api.MapMethods(route, [method], (HttpRequest request, ApiGate gate, THandlers handlers) => gate.RunAsync(request, call(handlers)))
            .WithName(name)
            .WithSummary(summary)
            .Problems(401, 503);

    private static RouteHandlerBuilder MapOpen<THandlers>(
        RouteGroupBuilder api, string method, string route, Func<THandlers, Open> call, string name, string summary)
        where THandlers : notnull =>
        api.MapMethods(route, [method], (HttpRequest request, ApiGate gate, THandlers handlers) => gate.RunOpenAsync(request, call(handlers)))
            .WithName(name)
            .WithSummary(summary);

    private static RouteHandlerBuilder Problems(this RouteHandlerBuilder endpoint, params ReadOnlySpan<int> statuses)
    {
        foreach (var status in statuses)
            endpoint.Produces<Problem>(status, "application/problem+json");
        return endpoint;
    }
}
