using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>Says exactly what a parked instance waits for, for callers to read.</summary>
internal static class WaitingOn
{
    /// <summary>An array of <c>{"path","kind","reason","until"}</c>, one for each active node that waits.</summary>
    public static Json Describe(Workflow workflow, InstanceState state) => Json.Write(writer =>
    {
        writer.WriteStartArray();
        foreach (var active in ActivePath.Of(workflow, state))
        {
            var (reason, until) = active.Frame.Activity switch
            {
                Sleeping sleeping => ("sleep", sleeping.Due),
                BackingOff backingOff => ("retry", backingOff.Due),
                _ => ("", default),
            };
            if (reason.Length == 0)
                continue;
            writer.WriteStartObject();
            writer.WriteString("path", active.Path);
            writer.WriteString("kind", active.Node.Kind);
            writer.WriteString("reason", reason);
            writer.WriteString("until", until.UtcDateTime);
            if (active.Frame.Activity is BackingOff)
                writer.WriteNumber("next_attempt", active.Frame.Attempt + 1);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });
}
