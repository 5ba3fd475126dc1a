using System.Collections.Immutable;
using Millrace.Values;

namespace Millrace.Execution;

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
    /// <summary>
    /// The attempt in which what is inside the node began: those after it, which a caller's retry has made, go on from there.
    /// </summary>
    public int Since { get; init; } = Attempt;

    /// <summary>How many of the attempts do not count: those before a caller asked for the instance to be retried, and those that were held back.</summary>
    public int Forgiven { get; init; }

    /// <summary>Whether the attempt has timed out, but could be undone, so that its end is awaited all the same.</summary>
    public bool TimedOut { get; init; }

    internal DateTimeOffset? NextDue => Due.Earlier(Deadline, Activity.NextDue);
}

/// <summary>
/// A sequence with names of its own: a branch, an item, the handling of a failure. It has not begun, or is active, or
/// has ended with a result.
/// </summary>
/// <param name="Body">Where it stands; null where it has not begun, or has ended.</param>
/// <param name="Own">What it has bound.</param>
/// <param name="Result">Its result; null until it has ended.</param>
public sealed record ScopedFrame(SequenceFrame? Body, ImmutableDictionary<string, Json> Own, Json? Result = null)
{
    /// <summary>Before it begins.</summary>
    public static ScopedFrame NotBegun { get; } = new(null, ImmutableDictionary<string, Json>.Empty);
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

/// <summary>Waiting for child instances to end.</summary>
public sealed record AwaitingChildren : Activity
{
    /// <summary>The only value.</summary>
    public static AwaitingChildren Instance { get; } = new();
}

/// <summary>Waiting for the next attempt.</summary>
/// <param name="Until">When it begins.</param>
public sealed record BackingOff(DateTimeOffset Until) : Activity
{
    /// <summary>The attempt whose effects the next one goes on with: a condition's statements, which a caller's retry asks again; null for effects of its own.</summary>
    public int? Since { get; init; }

    internal override DateTimeOffset? NextDue => Until;
}

/// <summary>Waiting for a time: a <c>sleep</c> or a <c>waitForSchedule</c>.</summary>
/// <param name="Until">That time.</param>
public sealed record Sleeping(DateTimeOffset Until) : Activity
{
    internal override DateTimeOffset? NextDue => Until;
}

/// <summary>Waiting for a signal.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Until">When the wait is over without one; null for never.</param>
public sealed record AwaitingSignal(string Name, DateTimeOffset? Until) : Activity
{
    internal override DateTimeOffset? NextDue => Until;
}

/// <summary>Asking a condition whose statements are executed outside.</summary>
/// <param name="Question">How far that has come.</param>
public sealed record Testing(Question Question) : Activity;

/// <summary>A condition that waits for the answer of a statement.</summary>
/// <param name="Path">The path of the statement being executed.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Answers">The answers so far, by the statement's path.</param>
public sealed record Question(string Path, DateTimeOffset StartedAt, ImmutableDictionary<string, bool> Answers);

/// <summary>Inside a branch of an <c>if</c>.</summary>
/// <param name="Then">Whether it is the branch for a true condition.</param>
/// <param name="Body">The branch.</param>
public sealed record Inside(bool Then, SequenceFrame Body) : Activity
{
    internal override DateTimeOffset? NextDue => Body.NextDue;
}

/// <summary>Inside the branches of a <c>join</c> or a <c>race</c>.</summary>
/// <param name="Branches">The branches, in order.</param>
public sealed record Branching(ImmutableArray<ScopedFrame> Branches) : Activity
{
    internal override DateTimeOffset? NextDue => Due.Earliest(Branches.Select(branch => branch.Body?.NextDue));
}

/// <summary>
/// Inside a <c>loop</c>: in the nodes of a turn, or asking whether to go on, or resting before the turn. Nothing of
/// earlier turns is kept.
/// </summary>
/// <param name="Turn">The turn, from 0.</param>
/// <param name="Body">Where its nodes stand; null while the condition is asked, or before the turn begins.</param>
/// <param name="Question">The condition; null unless it waits for an answer.</param>
/// <param name="Last">The turn's result, while the condition is asked.</param>
/// <param name="RestingSince">Since when the turn has been waiting to begin; null unless it does.</param>
public sealed record Looping(int Turn, SequenceFrame? Body, Question? Question, Json? Last, DateTimeOffset? RestingSince) : Activity
{
    internal override DateTimeOffset? NextDue => RestingSince ?? Body?.NextDue;
}

/// <summary>Inside a <c>forEach</c> whose items run in this instance.</summary>
/// <param name="Items">The list.</param>
/// <param name="Next">The first item that has not begun.</param>
/// <param name="Active">The items that are active, by index.</param>
/// <param name="Results">The results so far, by index.</param>
/// <param name="RestingSince">Since when further items have been waiting to begin though there is room; null where none does.</param>
public sealed record Iterating(
    Json Items, int Next, ImmutableSortedDictionary<int, ScopedFrame> Active, ImmutableSortedDictionary<int, Json> Results,
    DateTimeOffset? RestingSince) : Activity
{
    internal override DateTimeOffset? NextDue => Due.Earlier(RestingSince, Due.Earliest(Active.Values.Select(item => item.Body?.NextDue)));
}

/// <summary>Inside a <c>try</c>.</summary>
/// <param name="Stage">Which of its sequences.</param>
/// <param name="Frame">Where it stands.</param>
/// <param name="Pending">How the node ends once <c>finally</c> has; null before that stage.</param>
public sealed record Trying(TryStage Stage, ScopedFrame Frame, PendingEnd? Pending) : Activity
{
    /// <summary>The attempt in which <c>finally</c> began, which runs again however often the others go on; null before that stage.</summary>
    public int? Since { get; init; }

    internal override DateTimeOffset? NextDue => Frame.Body?.NextDue;
}

/// <summary>The sequences of a <c>try</c>.</summary>
public enum TryStage
{
    /// <summary>The nodes that may fail.</summary>
    Body,

    /// <summary>What is done about a failure.</summary>
    Catch,

    /// <summary>What is done in any case.</summary>
    Finally,
}

/// <summary>An end that waits for <c>finally</c>.</summary>
/// <param name="How">Which kind of end.</param>
/// <param name="Value">The result; null for a failure.</param>
/// <param name="Error">The failure; null for any other end.</param>
/// <param name="Resume">Where to go on if the failure is retried later; null for any other end.</param>
public sealed record PendingEnd(EndKind How, Json? Value, NodeError? Error = null, Trying? Resume = null);

/// <summary>The ways in which a sequence can end.</summary>
public enum EndKind
{
    /// <summary>After its last node.</summary>
    Completed,

    /// <summary>With a failure.</summary>
    Failed,

    /// <summary>With the <c>break</c> of a loop around it.</summary>
    Broke,

    /// <summary>With a <c>return</c>.</summary>
    Returned,
}

/// <summary>Times of which some are never.</summary>
internal static class Due
{
    public static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b : a;

    public static DateTimeOffset? Earliest(IEnumerable<DateTimeOffset?> times) => times.Aggregate((DateTimeOffset?)null, Earlier);
}
