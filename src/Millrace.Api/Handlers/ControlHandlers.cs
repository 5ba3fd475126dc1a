using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Api.Handlers;

/// <summary>Calls that act on single instances: signals, cancel, suspend, resume, retry, delete.</summary>
public sealed class ControlHandlers(ControlStore control, InstanceStore instances, IOptions<MillraceOptions> options)
{
    private const int MaxCancelBytes = 16 << 10;
    private const int LongestSignalName = 256;

    /// <summary>POST /instances/{id}/signals/{name}</summary>
    public async Task<IResult> SignalAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var id = QueryReader.Id(request);
        var name = QueryReader.Route(request, "name");
        if (name.Length > LongestSignalName || name.Contains('\0', StringComparison.Ordinal))
            throw ProblemException.BadRequest($"A signal's name has 1 to {LongestSignalName} characters.");
        var body = await BodyReader.OptionalJsonAsync(request, options.Value.Limits.SignalBytes, cancel);
        return await AnswerAsync(organisation, id, await control.SignalAsync(organisation, id, name, body is { } data ? Json.From(data) : Json.Null, cancel), cancel);
    }

    /// <summary>POST /instances/{id}/cancel</summary>
    public async Task<IResult> CancelAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var id = QueryReader.Id(request);
        var reason = await ReasonAsync(request, cancel);
        return await AnswerAsync(organisation, id, await control.CancelAsync(organisation, id, reason, cancel), cancel);
    }

    /// <summary>POST /instances/{id}/suspend</summary>
    public async Task<IResult> SuspendAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        await AnswerAsync(organisation, QueryReader.Id(request), await control.SuspendAsync(organisation, QueryReader.Id(request), cancel), cancel);

    /// <summary>POST /instances/{id}/resume</summary>
    public async Task<IResult> ResumeAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        await AnswerAsync(organisation, QueryReader.Id(request), await control.ResumeAsync(organisation, QueryReader.Id(request), cancel), cancel);

    /// <summary>POST /instances/{id}/retry</summary>
    public async Task<IResult> RetryAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        await AnswerAsync(organisation, QueryReader.Id(request), await control.RetryAsync(organisation, QueryReader.Id(request), cancel), cancel);

    /// <summary>DELETE /instances/{id}</summary>
    public async Task<IResult> DeleteAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var answer = await control.DeleteAsync(organisation, QueryReader.Id(request), cancel);
        return answer is ControlAnswer.Accepted ? Results.NoContent() : throw Refusal(answer);
    }

    private async Task<IResult> AnswerAsync(Guid organisation, Guid id, ControlAnswer answer, CancellationToken cancel)
    {
        if (answer is not ControlAnswer.Accepted || await instances.FindAsync(organisation, id, cancel) is not { } view)
            throw Refusal(answer);
        return new WithHeaders(
            Answers.Json(Answers.Instance(view), ApiJson.Relaxed.InstanceResponse, StatusCodes.Status202Accepted), ("Location", Answers.Links(id).Self));
    }

    private static ProblemException Refusal(ControlAnswer answer) => answer switch
    {
        ControlAnswer.Ended => Conflict("The instance has ended; nothing can be done with it any more but to look at it, delete it or, if it failed, retry it."),
        ControlAnswer.Live => Conflict("The instance has not ended. Cancel it first, or wait for its end."),
        ControlAnswer.NotSuspended => Conflict("The instance is not suspended."),
        ControlAnswer.Cancelling => Conflict("The instance is being cancelled."),
        ControlAnswer.NotRetryable => Conflict(
            "Only an instance that has failed can be retried, and only if no compensations have run and its workers were not lost; start a new one."),
        ControlAnswer.Full => new(
            StatusCodes.Status429TooManyRequests, "Too many signals", "The instance has not received its last signals yet; send this one again later.")
        { RetryAfter = 5 },
        _ => ProblemException.NotFound("There is no such instance."),
    };

    private static ProblemException Conflict(string detail) => new(StatusCodes.Status409Conflict, "Conflict", detail);

    private static async Task<string?> ReasonAsync(HttpRequest request, CancellationToken cancel)
    {
        if (await BodyReader.OptionalJsonAsync(request, MaxCancelBytes, cancel) is not { } body)
            return null;
        var faults = new FaultList();
        var reader = ObjectReader.Of(body, "", faults);
        var reason = reader?.Text("reason", maxLength: 1000);
        reader?.Finish();
        return faults.Any ? throw new ProblemException(faults.All) : reason;
    }
}
