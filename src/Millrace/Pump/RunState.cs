using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>How a run of one lease stands.</summary>
/// <param name="Claim">What was claimed.</param>
/// <param name="Rules">The settings that decide.</param>
internal sealed record RunState(ClaimedInstance Claim, RunRules Rules)
{
    /// <summary>Before anything has happened.</summary>
    public static RunState Of(ClaimedInstance claim, RunRules rules) => new(claim, rules)
    {
        Standing = claim.Standing,
        ChildrenSeen = claim.Standing.ChildEnds,
        HadChildren = claim.Standing.ChildEnds > 0,
        HasShownLife = claim is { Claims: 1, Fault: null },
        FaultBefore = claim.Fault is { } kept ? RunFault.Read(kept) : null,
    };

    /// <summary>What has been asked of the instance, by the newest version of its row that is known.</summary>
    public Standing Standing { get; init; }

    /// <summary>What has happened since the last checkpoint; null until it is loaded.</summary>
    public Journal? Journal { get; init; }

    /// <summary>The state that the store's history leads to; null where that is not known.</summary>
    public InstanceState? Durable { get; init; }

    /// <summary>What is being executed.</summary>
    public ImmutableHashSet<NodeKey> Running { get; init; } = [];

    /// <summary>How many executions the last snapshot contains.</summary>
    public int SavedExecutions { get; init; }

    /// <summary>Whether the row knows already that this run has done something.</summary>
    public bool HasShownLife { get; init; }

    /// <summary>Whether the request to cancel was taken in.</summary>
    public bool CancelTaken { get; init; }

    /// <summary>Whether something was written to the row that has not been looked at.</summary>
    public bool LookWanted { get; init; }

    /// <summary>Whether the instance has, or had, children, as far as is known.</summary>
    public bool HadChildren { get; init; }

    /// <summary>Whether the children were looked at since they were started, or the instance was claimed.</summary>
    public bool ChildrenLooked { get; init; }

    /// <summary>How many of the children's ends have been looked at.</summary>
    public long ChildrenSeen { get; init; }

    /// <summary>Whether the fate of the last checkpoint is unknown.</summary>
    public bool IsUnsure { get; init; }

    /// <summary>Whether the lease is lost.</summary>
    public bool IsLost { get; init; }

    /// <summary>Whether the process stops.</summary>
    public bool IsStopping { get; init; }

    /// <summary>The error of our own because of which the instance was given back before; null for none.</summary>
    public RunFault? FaultBefore { get; init; }

    /// <summary>The error of our own because of which the instance is given back; null for none.</summary>
    public RunFault? Fault { get; init; }

    /// <summary>An exception of the pure core, for the log; null for none.</summary>
    public Exception? CoreError { get; init; }

    /// <summary>How the run let go of its instance; null until it has.</summary>
    public RunEnd? End { get; init; }

    /// <summary>Groups of children that are to be told of the instance's end, though its state does not know of them.</summary>
    public ImmutableArray<Guid> LeftGroups { get; init; } = [];

    /// <summary>Whether workers, or tries, were lost with the instance one after the other, more than there may be.</summary>
    public bool IsPoisoned => Claim.Claims > Rules.MaxTakeovers;

    /// <summary>
    /// Whether the instance ends without a look at its history, which may be what takes its workers down: they were lost, and
    /// not by errors of our own that they lived to tell of.
    /// </summary>
    public bool IsLostCause => IsPoisoned && (FaultBefore is null || Claim.Claims > 2 * Rules.MaxTakeovers);

    /// <summary>Whether one execution has met errors of our own as often as one may.</summary>
    public bool IsNodePoisoned => FaultBefore is { Node: not null } fault && fault.Tries >= Rules.MaxTakeovers;

    /// <summary>Whether a timer of before the takeover is yet to be taken in, once what had come by then has been.</summary>
    public bool IsCatchingUp { get; init; }

    /// <summary>Whether there may be ends of children that have not been looked at.</summary>
    public bool HasNewsOfChildren => HadChildren && (!ChildrenLooked || Standing.ChildEnds > ChildrenSeen);

    /// <summary>Whether nothing can happen but from outside: nothing is executed, and nothing can be begun.</summary>
    public bool IsIdle => Running.IsEmpty && (Standing.Suspended || !Journal!.Commands.Any(static command => command is Execute));
}

/// <summary>The settings that decide what a run does.</summary>
/// <param name="MaxTakeovers">How many workers, or tries, may be lost in a row.</param>
/// <param name="HoldWait">Waits up to this long are sat out.</param>
/// <param name="ExecutionsBetweenSaves">A worker that takes over folds no more than this many executions.</param>
/// <param name="StateBytes">The most that an instance may keep.</param>
internal sealed record RunRules(int MaxTakeovers, TimeSpan HoldWait, int ExecutionsBetweenSaves = 1000, int StateBytes = int.MaxValue);
