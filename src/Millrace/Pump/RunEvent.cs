using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>Something that happens to a run. The hierarchy is closed.</summary>
internal abstract record RunEvent;

/// <summary>What the run needs before it can begin is there.</summary>
/// <param name="At">When.</param>
/// <param name="Journal">Where the instance stands by its snapshot and its history.</param>
internal sealed record Loaded(DateTimeOffset At, Journal Journal) : RunEvent
{
    /// <summary>The groups of children that live, where they were asked for.</summary>
    public ImmutableArray<Guid> LeftGroups { get; init; } = [];
}

/// <summary>An answer of the store tells what has been asked of the instance. Answers may overtake each other.</summary>
internal sealed record Told(DateTimeOffset At, Standing Standing) : RunEvent;

/// <summary>Something was written to the instance's row; what it was, a look will tell.</summary>
internal sealed record Nudged : RunEvent;

/// <summary>The look was taken: how the row stands; null where the lease is lost.</summary>
internal sealed record Looked(DateTimeOffset At, Standing? Standing) : RunEvent;

/// <summary>The lease is lost: somebody else has the instance, or will.</summary>
internal sealed record LeaseLost : RunEvent;

/// <summary>The process stops.</summary>
internal sealed record Interrupted : RunEvent;

/// <summary>Commands were carried out: executions have begun, or were told to stop.</summary>
internal sealed record Begun(ImmutableArray<Command> Commands) : RunEvent;

/// <summary>An execution has ended, or goes on as children that were started.</summary>
/// <param name="Key">Which.</param>
/// <param name="Happened">Its end; null where it goes on.</param>
/// <param name="ChildrenCounted">The number of children's ends that the row counts since they were started; null where none were.</param>
internal sealed record ExecutionEnded(NodeKey Key, InstanceEvent? Happened, long? ChildrenCounted = null) : RunEvent;

/// <summary>An execution ran into an error of our own.</summary>
internal sealed record ExecutionBroke(NodeKey Key) : RunEvent;

/// <summary>Signals were read.</summary>
internal sealed record SignalsRead(DateTimeOffset At, IReadOnlyList<Signal> Signals) : RunEvent;

/// <summary>The children were looked at: the ends of nodes that they decide, and how many of their ends had been counted before.</summary>
internal sealed record ChildrenRead(IReadOnlyList<InstanceEvent> Ends, long Counted) : RunEvent;

/// <summary>Children could not be looked at, because of an error of our own.</summary>
/// <param name="Key">Which execution's; null where none could be.</param>
internal sealed record ChildrenBroke(NodeKey? Key) : RunEvent;

/// <summary>A time that was waited for has come.</summary>
internal sealed record Ticked(DateTimeOffset At) : RunEvent;

/// <summary>The store has answered a checkpoint.</summary>
internal sealed record Written(DateTimeOffset At, Checkpoint Checkpoint, CheckpointAnswer Answer) : RunEvent;

/// <summary>What the instance keeps was weighed.</summary>
internal sealed record Weighed(long Bytes) : RunEvent;

/// <summary>Nobody knows whether a checkpoint was stored.</summary>
internal sealed record WriteUnsure : RunEvent;

/// <summary>The store will never take a checkpoint, because of what is in it.</summary>
/// <param name="Code">The SQLSTATE.</param>
/// <param name="Message">Why, as the store says it.</param>
internal sealed record WriteRefused(string Code, string Message) : RunEvent;

/// <summary>The run itself ran into an error of our own.</summary>
internal sealed record Broke(RunFault Fault) : RunEvent;

/// <summary>The instance was given back as it stands, or at least the attempt at it is over.</summary>
internal sealed record Released(bool Held) : RunEvent;
