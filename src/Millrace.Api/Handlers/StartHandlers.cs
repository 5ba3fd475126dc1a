using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Faults;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Api.Handlers;

/// <summary>Calls that start instances.</summary>
public sealed class StartHandlers(
    StartStore starts, WorkflowStore workflows, InstanceStore instances, OutcomeHub outcomes, DefinitionCache definitions, BodyBudget budget,
    IOptions<MillraceOptions> options)
{
    private readonly LimitOptions limits = options.Value.Limits;
    private readonly StartReader reader = new(definitions, options.Value.Limits);

    /// <summary>POST /instances</summary>
    public async Task<IResult> StartAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var id = await StoreAsync(request, organisation, cancel);
        if (QueryReader.PreferredWait(request) is { } wait && await EndOfAsync(organisation, id, wait, cancel) is { } ended)
            return new WithHeaders(Answers.Json(Answers.Instance(ended), ApiJson.Relaxed.InstanceResponse), ("Preference-Applied", "wait"));

        var links = Answers.Links(id);
        var headers = request.HttpContext.Response.Headers;
        (headers.Location, headers.RetryAfter) = (links.Self, "1");
        return Answers.Json(new(id, InstanceStatus.Pending.Name(), links), ApiJson.Relaxed.StartResponse, StatusCodes.Status202Accepted);
    }

    private async Task<Guid> StoreAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var key = QueryReader.IdempotencyKey(request);
        using var share = budget.Take(request, MaxStartBytes);
        var body = await BodyReader.JsonAsync(request, MaxStartBytes, cancel);
        var faults = new FaultList();
        if (reader.Read(body, "", organisation, key is not null, faults) is not { } start)
            throw new ProblemException(faults.All);
        if (start.Definition is { } definition)
            await workflows.EnsureAsync(organisation, definition, cancel);

        var outcome = await starts.StartAsync(start.Request with { IdempotencyKey = key });
        return IdOf(outcome, start.Request, "/workflow");
    }

    /// <summary>POST /instances/batch</summary>
    public async Task<IResult> StartBatchAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var key = QueryReader.IdempotencyKey(request);
        var faults = new FaultList();
        using var share = budget.Take(request, limits.BatchBytes);
        var items = await ItemsAsync(request, cancel);
        if (items.Count > limits.BatchItems)
            faults.Add("", $"The batch has {items.Count:N0} items; at most {limits.BatchItems:N0} are allowed.", tooLarge: true);
        if (items.Count == 0)
            faults.Add("", "The batch is empty.");
        var batch = faults.Any ? [] : items.Select((item, i) => reader.Read(item, $"/{i}", organisation, key is not null, faults)).ToList();
        if (faults.Any)
            throw new ProblemException(faults.All);

        foreach (var definition in batch.Select(start => start!.Definition).OfType<Workflows.Workflow>().Distinct(ReferenceEqualityComparer.Instance).Cast<Workflows.Workflow>().DistinctBy(workflow => Convert.ToHexString(workflow.Hash)))
            await workflows.EnsureAsync(organisation, definition, cancel);
        var requests = batch.Select(start => start!.Request).ToList();
        var outcome = await starts.StartAllAsync(requests, key is null ? null : StartKey.OfBatch(organisation, key, requests), cancel);
        var ids = outcome.Select((item, i) => IdOf(item, requests[i], $"/{i}/workflow")).ToList();
        return Answers.Json(new(ids), ApiJson.Relaxed.BatchResponse, StatusCodes.Status202Accepted);
    }

    // White space and escapes make a body longer than the values in it.
    private int MaxStartBytes => (2 * limits.DefinitionBytes) + (4 * limits.InputBytes);

    private async Task<IReadOnlyList<JsonElement>> ItemsAsync(HttpRequest request, CancellationToken cancel)
    {
        var type = BodyReader.RequireType(request, BodyReader.JsonType, BodyReader.NdjsonType);
        var body = await BodyReader.BytesAsync(request, limits.BatchBytes, cancel);
        if (type == BodyReader.NdjsonType)
            return Lines(body);
        var root = BodyReader.Parse(body);
        if (root.ValueKind is JsonValueKind.Array)
            return [.. root.EnumerateArray()];
        throw new ProblemException([new("", $"Expected an array of starts, found {ObjectReader.Name(root)}.")]);
    }

    private static List<JsonElement> Lines(ReadOnlyMemory<byte> body)
    {
        var items = new List<JsonElement>();
        while (!body.IsEmpty)
        {
            var end = body.Span.IndexOf((byte)'\n');
            var line = end < 0 ? body : body[..end];
            body = end < 0 ? default : body[(end + 1)..];
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            try
            {
                items.Add(BodyReader.Parse(line));
            }
            catch (ProblemException e)
            {
                throw new ProblemException(e.Status, e.Title, $"Item {items.Count} (from 0): {e.Message}");
            }
        }

        return items;
    }

    private static Guid IdOf(StartOutcome outcome, StartRequest request, string pointer) => outcome switch
    {
        StartAccepted accepted => accepted.Id,
        StartUnknownWorkflow => throw new ProblemException(
            [new(pointer, $"There is no workflow \"{request.Workflow}\"{(request.Version is { } version ? $" with version {version}" : "")}; store it with PUT {ApiRoutes.Base}/workflows/{request.Workflow}.")]),
        _ => throw new ProblemException(StatusCodes.Status422UnprocessableEntity, "Idempotency key reused",
            "This Idempotency-Key was used with another body; a key belongs to one request."),
    };

    // The start is durable by now: whatever hinders the wait, the answer is 202 and not an error.
    private async Task<InstanceView?> EndOfAsync(Guid organisation, Guid id, TimeSpan wait, CancellationToken cancel)
    {
        try
        {
            if (!await outcomes.WaitAsync(organisation, id, wait, cancel))
                return null;
            return await instances.FindAsync(organisation, id, cancel) is { } view && view.Status.IsEnd() ? view : null;
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            return null;
        }
    }
}
