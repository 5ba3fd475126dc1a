using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Store;

/// <summary>What an instance has come to, to be made durable. The hierarchy is closed.</summary>
/// <param name="Lease">The lease under which it was run.</param>
/// <param name="Ended">The executions that ended since the last checkpoint.</param>
internal abstract record Checkpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended)
{
    /// <summary>The events behind the executions, where those alone do not tell.</summary>
    public Json? Events { get; init; }

    /// <summary>The groups of children that nobody waits for any more.</summary>
    public IReadOnlyList<Guid> UnwantedGroups { get; init; } = [];

    /// <summary>Whether workers that were lost with the instance count against it no more: this one has done something.</summary>
    public bool ShowsLife { get; init; }

    /// <summary>Its approximate size in bytes.</summary>
    public virtual int Bytes => 200 + (Events?.Utf8.Length ?? 0) + Ended.Sum(execution => 200 + (execution.Result?.Utf8.Length ?? 0));
}

/// <summary>The instance goes on.</summary>
internal sealed record ProgressCheckpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended)
    : Checkpoint(Lease, Ended);

/// <summary>The instance goes on, and its state is kept.</summary>
internal sealed record SaveCheckpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended, InstanceState State)
    : Checkpoint(Lease, Ended)
{
    /// <summary>The state as it is kept.</summary>
    public Json Snapshot { get; } = StateJson.Write(State);

    public override int Bytes => base.Bytes + Snapshot.Utf8.Length;
}

/// <summary>The instance waits until it is due; null means for ever, unless something happens to it.</summary>
/// <param name="Lease">The lease.</param>
/// <param name="Ended">The executions that ended.</param>
/// <param name="Due">When it is due.</param>
/// <param name="State">The state that is kept.</param>
/// <param name="WaitingOn">What it waits for.</param>
/// <param name="Seen">What had been asked of the instance when that was decided; anything else makes it ready at once.</param>
internal sealed record ParkCheckpoint(
    Lease Lease, IReadOnlyList<NodeExecution> Ended, DateTimeOffset? Due, InstanceState State, Json WaitingOn, Standing Seen)
    : Checkpoint(Lease, Ended)
{
    /// <summary>The state as it is kept.</summary>
    public Json Snapshot { get; } = StateJson.Write(State);

    public override int Bytes => base.Bytes + Snapshot.Utf8.Length;
}

/// <summary>The instance has ended.</summary>
/// <param name="Lease">The lease.</param>
/// <param name="Ended">The executions that ended.</param>
/// <param name="Outcome">How.</param>
internal sealed record FinishCheckpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended, Outcome Outcome)
    : Checkpoint(Lease, Ended)
{
    /// <summary>For a failed instance, where its failed nodes can be tried again; null where they cannot.</summary>
    public Json? Resume { get; init; }

    /// <summary>The number of the last signal that <see cref="Resume"/> has seen; null where nothing can be tried again.</summary>
    public long? ResumeSeen { get; init; }

    /// <summary>Whether the instance has received signals.</summary>
    public bool HadSignals { get; init; }

    /// <summary>Whether the instance has had children.</summary>
    public bool HadChildren { get; init; }

    public override int Bytes => base.Bytes + (Outcome.Result?.Utf8.Length ?? 0) + (Resume?.Utf8.Length ?? 0);
}

/// <summary>What has been asked of an instance, as a version of its row tells.</summary>
/// <param name="CancelRequested">Whether somebody has asked for it to be cancelled.</param>
/// <param name="CancelReason">Why.</param>
/// <param name="Suspended">Whether somebody has asked for it to be suspended.</param>
/// <param name="Signals">How many signals have come.</param>
/// <param name="ChildEnds">How many ends of children have come.</param>
/// <param name="Requests">The version: how often anything has been asked.</param>
internal readonly record struct Standing(bool CancelRequested, string? CancelReason, bool Suspended, long Signals, long ChildEnds, long Requests)
{
    /// <summary>
    /// What is known once another answer has come, in whatever order answers come: the newer version says whether the
    /// instance is suspended; what only grows is taken from either, since a process of the version before counts signals,
    /// ends and requests to cancel, but no requests as such.
    /// </summary>
    public Standing With(Standing told) => new(
        CancelRequested || told.CancelRequested,
        CancelReason ?? told.CancelReason,
        told.Requests < Requests ? Suspended : told.Suspended,
        Math.Max(Signals, told.Signals),
        Math.Max(ChildEnds, told.ChildEnds),
        Math.Max(Requests, told.Requests));
}

/// <summary>What the store says to a checkpoint.</summary>
/// <param name="Held">Whether the lease held; if not, nothing was stored.</param>
/// <param name="Standing">What has been asked of the instance; null where it does not go on here.</param>
/// <param name="Ready">Whether a parked instance can be claimed again at once.</param>
internal readonly record struct CheckpointAnswer(bool Held, Standing? Standing = null, bool Ready = false);
