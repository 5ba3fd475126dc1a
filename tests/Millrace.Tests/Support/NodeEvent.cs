using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Tests.Support;

/// <summary>How an execution is to end.</summary>
internal sealed record NodeEvent(Json? Result, NodeFailure? Failure)
{
    public static NodeEvent Of(string json) => new(Json.FromText(json), null);

    public static NodeEvent Rows(params string[] rows) => Of($$"""{"rows":[{{string.Join(',', rows)}}],"row_count":{{rows.Length}}}""");

    public static NodeEvent Fails(string message, bool retryable = true) => new(null, new(message, "X", retryable));

    public InstanceEvent At(DateTimeOffset now, NodeKey key) => Failure is null ? new NodeCompleted(now, key, Result!) : new NodeFailed(now, key, Failure);
}
