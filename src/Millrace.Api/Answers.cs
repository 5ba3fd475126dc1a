using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
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
        new JsonAnswer<T>(value, type, "application/json; charset=utf-8", status);

    public static IResult Text(string text, string contentType) => new TextAnswer(Encoding.UTF8.GetBytes(text), contentType);

    public static IResult Bytes(ReadOnlyMemory<byte> body, string contentType) => new TextAnswer(body, contentType);

    public static IResult Problem(ProblemException problem)
    {
        var body = new Problem(
            "about:blank", problem.Title, problem.Status, problem.Message,
            problem.Faults is null ? null : [.. problem.Faults.Select(fault => new ProblemError(fault.Pointer, fault.Detail))]);
        var result = new JsonAnswer<Problem>(body, ApiJson.Relaxed.Problem, ProblemType, problem.Status);
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

/// <summary>
/// An answer that is written at once, with its length: cheaper for both ends than a stream of unknown length. Like the
/// others here it shows nothing of itself: a worker of functions also sends what it can read of a result to its host.
/// </summary>
internal sealed class JsonAnswer<T>(T value, JsonTypeInfo<T> type, string contentType, int status) : IResult
{
    // Nothing is sent before all of it is written.
    private static readonly PipeOptions Unbounded = new(pauseWriterThreshold: 0, minimumSegmentSize: 32 << 10);

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        // In pieces: a page of several MiB in one would take twice as much while it grows, and as much again for a copy.
        var pipe = new Pipe(Unbounded);
        try
        {
            await using (var writer = new Utf8JsonWriter(pipe.Writer, new() { Encoder = type.Options.Encoder, MaxDepth = type.Options.MaxDepth, SkipValidation = true }))
                JsonSerializer.Serialize(writer, value, type);
            await pipe.Writer.CompleteAsync();
            pipe.Reader.TryRead(out var written);
            var response = httpContext.Response;
            (response.StatusCode, response.ContentType, response.ContentLength) = (status, contentType, written.Buffer.Length);
            foreach (var piece in written.Buffer)
                await response.BodyWriter.WriteAsync(piece, httpContext.RequestAborted);
        }
        finally
        {
            await pipe.Writer.CompleteAsync();
            await pipe.Reader.CompleteAsync();
        }
    }
}

/// <summary>An answer that is text already.</summary>
internal sealed class TextAnswer(ReadOnlyMemory<byte> body, string contentType) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        (response.ContentType, response.ContentLength) = (contentType, body.Length);
        await response.BodyWriter.WriteAsync(body, httpContext.RequestAborted);
    }
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
