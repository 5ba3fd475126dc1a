using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Api;
using Millrace.Api.Handlers;

namespace Millrace.Functions;

/// <summary>Calls about workflows and definitions.</summary>
public sealed class WorkflowFunctions(ApiGate gate, WorkflowHandlers workflows)
{
    /// <summary>PUT /api/v1/workflows/{name}</summary>
    [Function("PutWorkflow")]
    public Task<IResult> PutWorkflow([HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/workflows/{name}")] HttpRequest request) =>
        gate.RunAsync(request, workflows.PutAsync);

    /// <summary>GET /api/v1/workflows</summary>
    [Function("ListWorkflows")]
    public Task<IResult> ListWorkflows([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/workflows")] HttpRequest request) =>
        gate.RunAsync(request, workflows.ListAsync);

    /// <summary>GET /api/v1/workflows/{name}</summary>
    [Function("GetWorkflow")]
    public Task<IResult> GetWorkflow([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/workflows/{name}")] HttpRequest request) =>
        gate.RunAsync(request, workflows.GetAsync);

    /// <summary>GET /api/v1/workflows/{name}/versions</summary>
    [Function("ListVersions")]
    public Task<IResult> ListVersions([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/workflows/{name}/versions")] HttpRequest request) =>
        gate.RunAsync(request, workflows.VersionsAsync);

    /// <summary>POST /api/v1/workflows/validate</summary>
    [Function("ValidateWorkflow")]
    public Task<IResult> ValidateWorkflow([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/workflows/validate")] HttpRequest request) =>
        gate.RunAsync(request, workflows.ValidateAsync);

    /// <summary>POST /api/v1/workflows/explain</summary>
    [Function("ExplainWorkflow")]
    public Task<IResult> ExplainWorkflow([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/workflows/explain")] HttpRequest request) =>
        gate.RunAsync(request, workflows.ExplainAsync);

    /// <summary>GET /api/v1/schemas/workflow.json</summary>
    [Function("GetWorkflowSchema")]
    public Task<IResult> GetWorkflowSchema([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/schemas/workflow.json")] HttpRequest request) =>
        gate.RunOpenAsync(request, workflows.SchemaAsync);
}
