using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// The end of an instance: with a result at once; with a failure or at a caller's wish after what may still happen has
// come to its end, and its compensations have run.
internal sealed partial class Turn
{
    /// <summary>Takes in an event while the instance is ending.</summary>
    public Decision AdvanceEnding(Ending ending, InstanceEvent happened)
    {
        if (ending is not { Current: { } current, Body: { } body })
            return Decide(null, ending: ending);
        var nodes = workflow.NodeAt(current.Path).Compensate;
        names = new(null, current.Names);
        var (progress, own) = Scoped(ending.Own, () => Advance(nodes, current.Scope, body, happened));
        return progress is Active<SequenceFrame> active
            ? Decide(null, ending: ending with { Body = active.Frame, Own = own })
            : CompensateNext(ending.Status, ending.Error, ending.Failed, ending.FirstFailure, progress);
    }

    /// <summary>Ends the instance at a caller's wish.</summary>
    public Decision Cancel(ImmutableArray<Node> nodes, SequenceFrame? frame, string? reason)
    {
        if (frame is not null)
            Drop(nodes, PathScope.Root, frame);
        return Undo(InstanceStatus.Cancelled, new(reason ?? "cancelled", null, null, 0, CancelledCode, Retryable: false), null);
    }

    /// <summary>Closes a decision about the workflow itself.</summary>
    public Decision Decided(Progress<SequenceFrame> progress) => progress switch
    {
        Active<SequenceFrame> active => Decide(active.Frame),
        Completed<SequenceFrame> completed => Complete(completed.Result),
        Returned<SequenceFrame> returned => Complete(returned.Result),
        Failed<SequenceFrame> failed => Undo(InstanceStatus.Failed, failed.Error, new(failed.Resume, names.Own, 0, null)),
        _ => throw new InvalidOperationException($"A workflow cannot end with {progress.GetType().Name}."),
    };

    private Decision Complete(Json result)
    {
        GiveUpLingering();
        return Decide(null, new(InstanceStatus.Completed, result, null));
    }

    // What lingers may still have to be undone, as the first of all; so the first compensation waits for its end. Where
    // nothing was done that would have to be undone, the instance can go on from where it failed.
    private Decision Undo(InstanceStatus status, NodeError error, InstanceState? resume)
    {
        resume = compensations.IsEmpty ? resume : null;
        if (!lingering.IsEmpty)
            return Decide(null, ending: new(status, error, null, null, ImmutableDictionary<string, Json>.Empty, 0, null) { Resume = resume });
        if (!compensations.IsEmpty)
            return CompensateNext(status, error, 0, null, null);
        return Decide(null, new(status, null, error)) with { Resume = resume is null ? null : resume with { Executions = state.Executions + ended.Count, Mailbox = mailbox } };
    }

    // Runs compensations, the last one first, until one of them has to wait or none is left. One that fails does not keep
    // the others from being run.
    private Decision CompensateNext(InstanceStatus status, NodeError error, int failed, NodeError? firstFailure, Progress<SequenceFrame>? last)
    {
        while (true)
        {
            if (last is Failed<SequenceFrame> failure)
                (failed, firstFailure) = (failed + 1, firstFailure ?? failure.Error);
            if (compensations.IsEmpty)
                return Decide(null, new(status, null, WithFailures(error, failed, firstFailure)));

            var current = compensations[^1];
            compensations = compensations.RemoveAt(compensations.Count - 1);
            compensationBytes -= current.Bytes;
            var nodes = workflow.NodeAt(current.Path).Compensate;
            names = new(null, current.Names);
            (last, var own) = Scoped(ImmutableDictionary<string, Json>.Empty, () => Enter(nodes, current.Scope));
            if (last is Active<SequenceFrame> active)
                return Decide(null, ending: new(status, error, current, active.Frame, own, failed, firstFailure));
        }
    }

    private static NodeError WithFailures(NodeError error, int failed, NodeError? first) => first is null ? error : error with
    {
        Message = $"{error.Message}; {failed} compensation{(failed == 1 ? "" : "s")} failed too, first {first.Kind} at {first.Path}: {first.Message}",
    };

    // While compensations run, and once the instance has ended, nobody reads the workflow's results.
    private Decision Decide(SequenceFrame? root, Outcome? outcome = null, Ending? ending = null) => new(
        new(root, root is null ? ImmutableDictionary<string, Json>.Empty : names.Own, state.Executions + ended.Count, outcome)
        {
            Mailbox = outcome is null ? mailbox : Mailbox.Empty,
            Compensations = outcome is null ? compensations : [],
            CompensationBytes = outcome is null ? compensationBytes : 0,
            Lingering = lingering,
            Ending = ending,
        },
        commands,
        ended);
}
