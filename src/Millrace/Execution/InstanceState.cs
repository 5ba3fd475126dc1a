using System.Collections.Immutable;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>What stays the same during an instance's life.</summary>
/// <param name="Id">The instance's id.</param>
/// <param name="Label">The caller's own label; null where none was given.</param>
/// <param name="Workflow">The name of the workflow; null for a nameless definition.</param>
/// <param name="Input">The input; JSON null where none was given.</param>
/// <param name="Variables">The organisation's variables as they were at the start: an object.</param>
public sealed record InstanceFacts(Guid Id, string? Label, string? Workflow, Json Input, Json Variables)
{
    /// <summary>For an item of a <c>forEach</c> with <c>spread</c>, that node's path: the instance runs its body. Null for a whole workflow.</summary>
    public string? Entry { get; init; }

    /// <summary>The names that are bound from the start: what an item's body reads of its surroundings, and the item.</summary>
    public ImmutableDictionary<string, Json> Names { get; init; } = ImmutableDictionary<string, Json>.Empty;

    /// <summary>The most bytes that a node's result may take.</summary>
    public int ResultBytes { get; init; } = int.MaxValue;

    /// <summary>The most compensations that an instance may have to keep.</summary>
    public int Compensations { get; init; } = int.MaxValue;

    /// <summary>The most bytes that what its compensations read may take.</summary>
    public long CompensationBytes { get; init; } = long.MaxValue;
}

/// <summary>Where an instance stands: its active paths through the workflow, and its named results.</summary>
/// <param name="Root">The top-level sequence; null before the start, after the end, and while compensations run.</param>
/// <param name="Names">Results by the name they were bound to.</param>
/// <param name="Executions">How many node executions have ended so far; the next one's ordinal.</param>
/// <param name="Outcome">How the instance ended; null while it lives.</param>
public sealed record InstanceState(SequenceFrame? Root, ImmutableDictionary<string, Json> Names, int Executions, Outcome? Outcome)
{
    /// <summary>Before anything has happened.</summary>
    public static InstanceState Initial { get; } = new(null, ImmutableDictionary<string, Json>.Empty, 0, null);

    /// <summary>Signals that have come and that nobody has waited for yet.</summary>
    public Mailbox Mailbox { get; init; } = Mailbox.Empty;

    /// <summary>What is to be undone if the instance fails or is cancelled, in the order in which it was done.</summary>
    public ImmutableList<Compensation> Compensations { get; init; } = [];

    /// <summary>About how many bytes <see cref="Compensations"/> take.</summary>
    public long CompensationBytes { get; init; }

    /// <summary>What was given up, but would have to be undone should it have happened: its end is awaited.</summary>
    public ImmutableList<Lingering> Lingering { get; init; } = [];

    /// <summary>The end that waits for compensations to run; null where none is near.</summary>
    public Ending? Ending { get; init; }

    /// <summary>The earliest time at which a wait or deadline is due; null where nothing waits for time.</summary>
    public DateTimeOffset? NextDue => Ending is { } ending ? ending.Body?.NextDue : Root?.NextDue;
}

/// <summary>Signals that wait to be received.</summary>
/// <param name="Seen">The number of the last signal that was taken in; the next one has a greater number.</param>
/// <param name="Waiting">Those that nobody has waited for, oldest first.</param>
public sealed record Mailbox(long Seen, ImmutableList<Signal> Waiting)
{
    /// <summary>No signals.</summary>
    public static Mailbox Empty { get; } = new(0, []);
}

/// <summary>A signal.</summary>
/// <param name="Number">Its place among the instance's signals, from 1.</param>
/// <param name="Name">Its name.</param>
/// <param name="Data">What it carries.</param>
public sealed record Signal(long Number, string Name, Json Data);

/// <summary>A completed node that can be undone.</summary>
/// <param name="Path">The node's path in the definition.</param>
/// <param name="Scope">Where it was executed.</param>
/// <param name="Names">What its compensation reads, as it was when the node completed.</param>
public sealed record Compensation(string Path, PathScope Scope, ImmutableDictionary<string, Json> Names)
{
    /// <summary>About how many bytes it takes where the state is kept.</summary>
    internal long Bytes => Names.Sum(name => (long)name.Key.Length + name.Value.Utf8.Length);
}

/// <summary>
/// An execution that was given up while it may have been having its effects, of a node that can be undone. Nothing waits
/// for its result, but if it completes, its compensation is registered.
/// </summary>
/// <param name="Path">The node's path in the definition.</param>
/// <param name="Scope">Where it is executed.</param>
/// <param name="Frame">What it is doing.</param>
/// <param name="Names">What it and its compensation read, as it was when it was given up.</param>
public sealed record Lingering(string Path, PathScope Scope, NodeFrame Frame, ImmutableDictionary<string, Json> Names)
{
    /// <summary>Which execution it is.</summary>
    public NodeKey Key => new(Scope.Of(Path), Scope.Iteration, Frame.Attempt);
}

/// <summary>
/// An instance that will end once nothing lingers any more, and its compensations have run, the last one first.
/// </summary>
/// <param name="Status">How it will end.</param>
/// <param name="Error">Why.</param>
/// <param name="Current">The compensation that runs; null while something lingers.</param>
/// <param name="Body">Where it stands; null where none runs.</param>
/// <param name="Own">What it has bound.</param>
/// <param name="Failed">How many compensations have failed.</param>
/// <param name="FirstFailure">Why the first of them did.</param>
public sealed record Ending(
    InstanceStatus Status, NodeError Error, Compensation? Current, SequenceFrame? Body, ImmutableDictionary<string, Json> Own,
    int Failed, NodeError? FirstFailure)
{
    /// <summary>From where the failed nodes can be tried again, should there turn out to be nothing to undo; null where they cannot.</summary>
    public InstanceState? Resume { get; init; }
}

/// <summary>How an instance ended.</summary>
/// <param name="Status">Completed, failed or cancelled.</param>
/// <param name="Result">The result; null unless it completed.</param>
/// <param name="Error">The error; null where it completed.</param>
public sealed record Outcome(InstanceStatus Status, Json? Result, NodeError? Error);
