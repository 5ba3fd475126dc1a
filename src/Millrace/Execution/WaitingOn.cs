using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>Says exactly what a parked instance waits for, for callers to read.</summary>
internal static class WaitingOn
{
    /// <summary>Nothing.</summary>
    public static Json Nothing { get; } = Json.FromText("[]");

    /// <summary>
    /// An array of objects, one for each active node that waits: <c>path</c>, <c>kind</c>, <c>iteration</c> and
    /// <c>reason</c> (<c>sleep</c>, <c>schedule</c>, <c>signal</c>, <c>children</c>, <c>retry</c>), and <c>until</c>, the
    /// time at which the wait is over, null for none. A signal's wait has <c>signal</c>, its name; a retry's has
    /// <c>next_attempt</c>.
    /// </summary>
    public static Json Describe(Workflow workflow, InstanceFacts facts, InstanceState state) => Json.Write(writer =>
    {
        writer.WriteStartArray();
        foreach (var active in ActivePath.Of(workflow, facts, state))
        {
            if (ReasonOf(active) is { } reason)
                Write(writer, active, reason);
        }

        writer.WriteEndArray();
    });

    /// <summary>In a word, what an active node waits for; null where it does not wait.</summary>
    public static string? ReasonOf(ActiveNode active) => active.Frame.Activity switch
    {
        Sleeping => active.Node is SleepNode ? "sleep" : "schedule",
        AwaitingSignal => "signal",
        AwaitingChildren => "children",
        BackingOff => "retry",
        _ => null,
    };

    private static void Write(Utf8JsonWriter writer, ActiveNode active, string reason)
    {
        writer.WriteStartObject();
        writer.WriteString("path", active.Key.Path);
        writer.WriteString("kind", active.Node.Kind);
        writer.WriteNumber("iteration", active.Key.Iteration);
        writer.WriteString("reason", reason);
        if (active.Frame.NextDue is { } until)
            writer.WriteString("until", until.UtcDateTime);
        else
            writer.WriteNull("until");
        if (active.Frame.Activity is AwaitingSignal signal)
            writer.WriteString("signal", signal.Name);
        if (active.Frame.Activity is BackingOff)
            writer.WriteNumber("next_attempt", active.Frame.Attempt + 1);
        if (active.Frame.Activity is AwaitingChildren)
            writer.WriteNumber("attempt", active.Key.Attempt);
        writer.WriteEndObject();
    }
}
