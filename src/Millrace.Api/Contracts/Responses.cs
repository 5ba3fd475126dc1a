using Millrace.Values;

namespace Millrace.Api.Contracts;

/// <summary>A start that was accepted: it is durable.</summary>
/// <param name="Id">The instance's id.</param>
/// <param name="Status">Its status when the answer was made.</param>
/// <param name="Links">Where to go from here.</param>
public sealed record StartResponse(Guid Id, string Status, InstanceLinks Links);

/// <summary>Addresses of an instance.</summary>
/// <param name="Self">The instance.</param>
/// <param name="Nodes">Its node executions.</param>
/// <param name="Explain">Its picture.</param>
/// <param name="Cancel">Where to ask for its cancellation.</param>
public sealed record InstanceLinks(string Self, string Nodes, string Explain, string Cancel);

/// <summary>A batch of starts that was accepted.</summary>
/// <param name="Ids">The instances' ids, in the order of the items.</param>
public sealed record BatchResponse(IReadOnlyList<Guid> Ids);

/// <summary>An instance.</summary>
/// <param name="Id">Its id, a UUIDv7.</param>
/// <param name="Workflow">The name of its workflow; null for a nameless definition.</param>
/// <param name="Version">The workflow's version; null for a definition that came with the start.</param>
/// <param name="Label">The caller's label.</param>
/// <param name="Status">pending, running, waiting, suspended, completed, failed or cancelled.</param>
/// <param name="Input">Its input.</param>
/// <param name="Result">Its result, once it has completed.</param>
/// <param name="Error">Its error, once it has failed or was cancelled: {message, path, kind, attempt, code?}.</param>
/// <param name="CreatedAt">When its start was accepted.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="WaitingOn">What it waits for, while it waits: [{path, kind, reason, until}].</param>
public sealed record InstanceResponse(
    Guid Id, string? Workflow, int? Version, string? Label, string Status, Json? Input, Json? Result, Json? Error,
    DateTimeOffset CreatedAt, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, Json WaitingOn);

/// <summary>A page of instances, newest first.</summary>
/// <param name="Data">The instances; fewer than asked for where they are large.</param>
/// <param name="HasMore">Whether there are older ones.</param>
/// <param name="NextCursor">The cursor of the next page; null on the last one.</param>
public sealed record InstancePage(IReadOnlyList<InstanceResponse> Data, bool HasMore, string? NextCursor);

/// <summary>A node execution.</summary>
/// <param name="Path">The node's path in its definition; inside a repeated container it names the repetition.</param>
/// <param name="Kind">The node's kind.</param>
/// <param name="Iteration">The turn of the nearest loop, from 0.</param>
/// <param name="Attempt">The attempt, from 1.</param>
/// <param name="Status">completed, failed or cancelled.</param>
/// <param name="Result">Its result.</param>
/// <param name="Error">Its error: {message, path, kind, attempt, code?, retryable?, retry_after_ms?, held_back?}.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="DurationMs">How long it took, in milliseconds.</param>
/// <param name="Worker">The process that executed it.</param>
public sealed record NodeResponse(
    string Path, string Kind, int Iteration, int Attempt, string Status, Json? Result, Json? Error,
    DateTimeOffset StartedAt, DateTimeOffset EndedAt, double DurationMs, string Worker);

/// <summary>A page of node executions, oldest first.</summary>
/// <param name="Data">The executions; fewer than asked for where they are large.</param>
/// <param name="HasMore">Whether there are later ones.</param>
/// <param name="NextCursor">The cursor of the next page; null on the last one.</param>
public sealed record NodePage(IReadOnlyList<NodeResponse> Data, bool HasMore, string? NextCursor);

/// <summary>A version of a workflow.</summary>
/// <param name="Name">The workflow's name.</param>
/// <param name="Version">The version, from 1.</param>
/// <param name="Hash">SHA-256 of the content, in hexadecimal.</param>
/// <param name="CreatedAt">When it was stored.</param>
/// <param name="Definition">The content; absent in lists.</param>
public sealed record WorkflowResponse(string Name, int Version, string Hash, DateTimeOffset CreatedAt, Json? Definition);

/// <summary>A page of workflows or of versions.</summary>
/// <param name="Data">The workflows.</param>
/// <param name="HasMore">Whether there are more.</param>
/// <param name="NextCursor">The cursor of the next page; null on the last one.</param>
public sealed record WorkflowPage(IReadOnlyList<WorkflowResponse> Data, bool HasMore, string? NextCursor);

/// <summary>A definition in which nothing is wrong.</summary>
/// <param name="Valid">Always true: anything else is a problem.</param>
/// <param name="Name">The name the definition gives itself.</param>
/// <param name="Hash">SHA-256 of the content, in hexadecimal.</param>
public sealed record ValidationResponse(bool Valid, string? Name, string Hash);

/// <summary>A variable.</summary>
/// <param name="Value">Its value: any JSON.</param>
public sealed record VariableResponse(Json Value);

/// <summary>How this process is.</summary>
/// <param name="Status">ok or unavailable.</param>
/// <param name="Reasons">Why it is not ok.</param>
public sealed record HealthResponse(string Status, IReadOnlyList<string> Reasons);

/// <summary>An error (RFC 9457).</summary>
/// <param name="Type">A URI that names the kind of problem; about:blank where the status says it all.</param>
/// <param name="Title">The problem in a few words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">What is wrong and what to do.</param>
/// <param name="Errors">What is wrong with the body, all of it at once.</param>
public sealed record Problem(string Type, string Title, int Status, string Detail, IReadOnlyList<ProblemError>? Errors);

/// <summary>One thing wrong with the body.</summary>
/// <param name="Pointer">Where: a JSON Pointer (RFC 6901).</param>
/// <param name="Detail">What.</param>
public sealed record ProblemError(string Pointer, string Detail);

/// <summary>What a drain that was asked for has done.</summary>
/// <param name="Claimed">How many instances it claimed.</param>
/// <param name="MoreIsReady">Whether something is left that could be run at once.</param>
/// <param name="NextDueSeconds">How long until the next timer of an instance is due; null where none waits for a time.</param>
public sealed record PumpResponse(int Claimed, bool MoreIsReady, double? NextDueSeconds);
