using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Store;

/// <summary>What an instance has come to, to be made durable. The hierarchy is closed.</summary>
/// <param name="Lease">The lease under which it was run.</param>
/// <param name="Ended">The executions that ended since the last checkpoint.</param>
internal abstract record Checkpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended)
{
    /// <summary>Its approximate size in bytes.</summary>
    public virtual int Bytes => 200 + Ended.Sum(execution => 200 + (execution.Result?.Utf8.Length ?? 0));
}

/// <summary>The instance goes on.</summary>
internal sealed record ProgressCheckpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended)
    : Checkpoint(Lease, Ended);

/// <summary>The instance waits until it is due; null means for ever, unless something happens to it.</summary>
internal sealed record ParkCheckpoint(
    Lease Lease, IReadOnlyList<NodeExecution> Ended, DateTimeOffset? Due, Json Snapshot, Json WaitingOn)
    : Checkpoint(Lease, Ended)
{
    public override int Bytes => base.Bytes + Snapshot.Utf8.Length;
}

/// <summary>The instance has ended.</summary>
internal sealed record FinishCheckpoint(Lease Lease, IReadOnlyList<NodeExecution> Ended, Outcome Outcome)
    : Checkpoint(Lease, Ended)
{
    public override int Bytes => base.Bytes + (Outcome.Result?.Utf8.Length ?? 0);
}

/// <summary>What the store says to a checkpoint.</summary>
/// <param name="Held">Whether the lease held; if not, nothing was stored.</param>
/// <param name="CancelRequested">Whether somebody has asked for the instance to be cancelled.</param>
/// <param name="CancelReason">Why.</param>
/// <param name="Ready">Whether a parked instance can be claimed again at once.</param>
internal readonly record struct CheckpointAnswer(bool Held, bool CancelRequested = false, string? CancelReason = null, bool Ready = false);
