using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>
/// The events behind a checkpoint, as the history keeps them where the executions alone do not tell. Results are not
/// repeated: an event that ended an execution names it, and a signal is named by its number.
/// </summary>
internal static class EventJson
{
    /// <summary>What to keep with the first of some executions; null where <see cref="Implied"/> says it all.</summary>
    public static Json? Of(IReadOnlyList<InstanceEvent> events, IReadOnlyList<NodeExecution> ended)
    {
        if (events is [Started] or [])
            return null;
        if (events is [var only] && Implied(ended[0]) is { } implied && IsSame(only, implied))
            return null;
        return Json.Write(writer =>
        {
            writer.WriteStartArray();
            foreach (var happened in events.Where(happened => happened is not Started))
                Write(writer, happened);
            writer.WriteEndArray();
        });
    }

    /// <summary>The one event that an execution stands for where nothing else was kept.</summary>
    public static InstanceEvent Implied(NodeExecution execution) => execution switch
    {
        { Kind: "sql" or "http" or "call" or "run", Status: not NodeStatus.Cancelled } => EndOf(execution, execution.EndedAt),
        _ => new TimerDue(execution.EndedAt),
    };

    private static InstanceEvent EndOf(NodeExecution execution, DateTimeOffset at) => execution switch
    {
        { Status: NodeStatus.Cancelled } => new NodeFailed(at, execution.Key, Turn.Unbegun),
        { Error: { } error } => new NodeFailed(
            at, execution.Key, new(error.Message, error.Code, error.Retryable) { RetryAfter = error.RetryAfter, IsHeldBack = error.IsHeldBack }),
        _ => new NodeCompleted(at, execution.Key, execution.Result!),
    };

    /// <summary>Reads events.</summary>
    /// <param name="events">What was kept.</param>
    /// <param name="executions">The executions that the events may name.</param>
    /// <param name="signals">The signals that the events may name.</param>
    public static IEnumerable<InstanceEvent> Read(
        Json events, Func<NodeKey, NodeExecution> executions, Func<long, Signal> signals)
    {
        foreach (var value in events.Element.EnumerateArray())
        {
            var at = value.GetProperty("at").GetDateTimeOffset();
            yield return value.GetProperty("event").GetString() switch
            {
                "ended" => EndOf(executions(ReadKey(value)), at),
                "timer" => new TimerDue(at),
                "signal" => new SignalArrived(at, signals(value.GetProperty("number").GetInt64())),
                "cancel" => new CancelRequested(at, value.GetProperty("reason").GetString()),
                var other => throw new InvalidOperationException($"A history has the unknown event \"{other}\"."),
            };
        }
    }

    /// <summary>The executions that events name.</summary>
    public static IEnumerable<NodeKey> ExecutionsIn(Json events) =>
        events.Element.EnumerateArray().Where(value => value.GetProperty("event").ValueEquals("ended"u8)).Select(ReadKey);

    private static bool IsSame(InstanceEvent a, InstanceEvent b) => (a, b) switch
    {
        (NodeCompleted x, NodeCompleted y) => x.At == y.At && x.Key == y.Key,
        (NodeFailed x, NodeFailed y) => x.At == y.At && x.Key == y.Key,
        (TimerDue x, TimerDue y) => x.At == y.At,
        _ => false,
    };

    private static void Write(Utf8JsonWriter writer, InstanceEvent happened)
    {
        writer.WriteStartObject();
        writer.WriteString("at", happened.At);
        switch (happened)
        {
            case NodeCompleted completed:
                WriteKey(writer, completed.Key);
                break;
            case NodeFailed failed:
                WriteKey(writer, failed.Key);
                break;
            case TimerDue:
                writer.WriteString("event", "timer");
                break;
            case SignalArrived arrived:
                writer.WriteString("event", "signal");
                writer.WriteNumber("number", arrived.Signal.Number);
                break;
            case CancelRequested cancel:
                writer.WriteString("event", "cancel");
                writer.WriteString("reason", cancel.Reason);
                break;
        }

        writer.WriteEndObject();
    }

    private static void WriteKey(Utf8JsonWriter writer, NodeKey key)
    {
        writer.WriteString("event", "ended");
        writer.WriteString("path", key.Path);
        writer.WriteNumber("iteration", key.Iteration);
        writer.WriteNumber("attempt", key.Attempt);
    }

    private static NodeKey ReadKey(JsonElement value) =>
        new(value.GetProperty("path").GetString()!, value.GetProperty("iteration").GetInt32(), value.GetProperty("attempt").GetInt32());
}
