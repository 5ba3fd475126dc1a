using System.Collections.Immutable;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>What stays the same during an instance's life.</summary>
/// <param name="Id">The instance's id.</param>
/// <param name="Label">The caller's own label; null where none was given.</param>
/// <param name="Workflow">The name of the workflow; null for a nameless definition.</param>
/// <param name="Input">The input; JSON null where none was given.</param>
/// <param name="Variables">The organisation's variables as they were at the start: an object.</param>
public sealed record InstanceFacts(Guid Id, string? Label, string? Workflow, Json Input, Json Variables);

/// <summary>Where an instance stands: its active path through the workflow, and its named results.</summary>
/// <param name="Root">The top-level sequence; null before the start and after the end.</param>
/// <param name="Names">Results by the name they were bound to.</param>
/// <param name="Executions">How many node executions have ended so far; the next one's ordinal.</param>
/// <param name="Outcome">How the instance ended; null while it lives.</param>
public sealed record InstanceState(SequenceFrame? Root, ImmutableDictionary<string, Json> Names, int Executions, Outcome? Outcome)
{
    /// <summary>Before anything has happened.</summary>
    public static InstanceState Initial { get; } = new(null, ImmutableDictionary<string, Json>.Empty, 0, null);

    /// <summary>The earliest time at which a wait or deadline is due; null where nothing waits for time.</summary>
    public DateTimeOffset? NextDue => Root?.NextDue;
}

/// <summary>How an instance ended.</summary>
/// <param name="Status">Completed, failed or cancelled.</param>
/// <param name="Result">The result; null unless it completed.</param>
/// <param name="Error">The error; null where it completed.</param>
public sealed record Outcome(InstanceStatus Status, Json? Result, NodeError? Error);

/// <summary>A sequence, somewhere in its middle.</summary>
/// <param name="Index">Which node is active.</param>
/// <param name="Child">That node.</param>
public sealed record SequenceFrame(int Index, NodeFrame Child)
{
    internal DateTimeOffset? NextDue => Child.NextDue;
}

/// <summary>An active node.</summary>
/// <param name="Attempt">The attempt, from 1; while backing off, the one that failed.</param>
/// <param name="StartedAt">When this attempt began.</param>
/// <param name="Deadline">When this attempt times out; null where whoever executes it minds the time, or there is no limit.</param>
/// <param name="Activity">What it is doing.</param>
public sealed record NodeFrame(int Attempt, DateTimeOffset StartedAt, DateTimeOffset? Deadline, Activity Activity)
{
    internal DateTimeOffset? NextDue => Earlier(Deadline, Activity.NextDue);

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b : a;
}

/// <summary>What an active node is doing. The hierarchy is closed.</summary>
public abstract record Activity
{
    private protected Activity()
    {
    }

    internal virtual DateTimeOffset? NextDue => null;
}

/// <summary>Being executed outside.</summary>
public sealed record Executing : Activity
{
    /// <summary>The only value.</summary>
    public static Executing Instance { get; } = new();
}

/// <summary>Waiting for the next attempt.</summary>
/// <param name="Due">When it begins.</param>
public sealed record BackingOff(DateTimeOffset Due) : Activity
{
    internal override DateTimeOffset? NextDue => Due;
}

/// <summary>Sleeping.</summary>
/// <param name="Due">Until when.</param>
public sealed record Sleeping(DateTimeOffset Due) : Activity
{
    internal override DateTimeOffset? NextDue => Due;
}

/// <summary>Asking a condition whose statements are executed outside.</summary>
/// <param name="Path">The path of the statement being executed.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Answers">The answers so far, by the statement's path.</param>
public sealed record Testing(string Path, DateTimeOffset StartedAt, ImmutableDictionary<string, bool> Answers) : Activity;

/// <summary>Inside a branch.</summary>
/// <param name="Then">Whether it is the branch for a true condition.</param>
/// <param name="Body">The branch.</param>
public sealed record Inside(bool Then, SequenceFrame Body) : Activity
{
    internal override DateTimeOffset? NextDue => Body.NextDue;
}
