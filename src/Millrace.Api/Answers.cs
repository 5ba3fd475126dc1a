using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Contracts;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>Makes answers.</summary>
internal static class Answers
{
    private const string ProblemType = "application/problem+json";

    public static IResult Json<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK) =>
        TypedResults.Json(value, type, "application/json; charset=utf-8", status);

    public static IResult Problem(ProblemException problem)
    {
        var body = new Problem(
            "about:blank", problem.Title, problem.Status, problem.Message,
            problem.Faults is null ? null : [.. problem.Faults.Select(fault => new ProblemError(fault.Pointer, fault.Detail))]);
        var result = TypedResults.Json(body, ApiJson.Relaxed.Problem, ProblemType, problem.Status);
        return problem.RetryAfter is { } seconds ? new WithHeaders(result, ("Retry-After", $"{seconds}")) : result;
    }

    public static InstanceResponse Instance(InstanceView view) => new(
        view.Id, view.Workflow, view.Version, view.Label, Execution.StatusNames.Name(view.Status), view.Input, view.Result, view.Error,
        view.CreatedAt, view.StartedAt, view.EndedAt, view.WaitingOn ?? EmptyArray);

    public static InstanceLinks Links(Guid id)
    {
        var self = $"{ApiRoutes.Base}/instances/{id}";
        return new(self, $"{self}/nodes", $"{self}/explain", $"{self}/cancel");
    }

    private static readonly Json EmptyArray = Values.Json.FromText("[]");
}

/// <summary>An answer with headers of its own.</summary>
internal sealed class WithHeaders(IResult inner, params (string Name, string Value)[] headers) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        foreach (var (name, value) in headers)
            httpContext.Response.Headers[name] = value;
        return inner.ExecuteAsync(httpContext);
    }
}
