using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// What can be undone. An execution that is given up may have had its effects all the same, so where a compensation would
// be owed for them, its end is awaited; nothing else is.
internal sealed partial class Turn
{
    /// <summary>The end of an execution that was given up before anybody had begun it: it has had no effects.</summary>
    public static readonly NodeFailure Unbegun = new("given up before it had begun", CancelledCode, Retryable: false);

    /// <summary>Takes in the end of an execution that lingers; null where the event is none.</summary>
    public Decision? EndLingering(InstanceEvent happened)
    {
        var key = happened switch { NodeCompleted done => done.Key, NodeFailed failed => failed.Key, _ => default };
        if (lingering.Find(item => item.Key == key) is not { } ended)
            return null;
        lingering = lingering.Remove(ended);
        var node = workflow.NodeAt(ended.Path);
        switch (happened)
        {
            case NodeCompleted { Result: var result } when Excess(node, result) is { } failure:
                RecordEnd(node, ended, NodeStatus.Failed, null, failure);
                break;
            case NodeCompleted { Result: var result }:
                var visible = new NameScope(null, ended.Names);
                Register(node, ended.Scope, node.As is { } name ? visible.With(name, result.As(KindOf(node))) : visible);
                RecordEnd(node, ended, NodeStatus.Completed, result, null);
                break;
            case NodeFailed { Failure: var failure } when failure == Unbegun:
                RecordEnd(node, ended, NodeStatus.Cancelled, null, null);
                break;
            case NodeFailed { Failure: var failure }:
                RecordEnd(node, ended, NodeStatus.Failed, null, ended.Frame.TimedOut ? TimedOut(node) : failure);
                break;
        }

        if (state.Ending is { } ending)
            return Undo(ending.Status, ending.Error, ending.Resume);
        return Decide(state.Root);
    }

    /// <summary>Gives the command of an execution that lingers once more.</summary>
    public void Reissue(Lingering item)
    {
        var outer = names;
        names = new(null, item.Names);
        Start(workflow.NodeAt(item.Path), item.Scope, item.Frame);
        names = outer;
    }

    // Children are told that nobody waits for them, but they may have completed before they hear of it.
    private bool Lingers(Node node, PathScope scope, NodeFrame frame)
    {
        var key = scope.Key(node, frame.Attempt);
        if (!AwaitsEnd(node, frame) || commands.Exists(command => command is Execute && command.Key == key))
            return false;
        if (frame.Activity is AwaitingChildren)
            Give(new CancelChildren(key));
        lingering = lingering.Add(new(node.Path, scope, frame with { Deadline = null }, names.Take(Workflow.ReadBy([node]))));
        return true;
    }

    private static bool AwaitsEnd(Node node, NodeFrame frame) => !node.Compensate.IsEmpty && frame.Activity is Executing or AwaitingChildren;

    // An attempt that is over its time goes on to its end, and fails then, unless it has completed all the same: another
    // one beside it could not be told from it.
    private Active<NodeFrame> EndSoon(Node node, PathScope scope, NodeFrame frame)
    {
        if (frame.Activity is AwaitingChildren)
            Give(new CancelChildren(scope.Key(node, frame.Attempt)));
        return new(frame with { Deadline = null, TimedOut = true });
    }

    // The instance has completed, so nothing will be undone.
    private void GiveUpLingering()
    {
        foreach (var item in lingering)
        {
            Give(item.Frame.Activity is Executing ? new Abandon(item.Key) : new CancelChildren(item.Key));
            RecordEnd(workflow.NodeAt(item.Path), item, NodeStatus.Cancelled, null, null);
        }

        lingering = [];
    }

    private void RecordEnd(Node node, Lingering item, NodeStatus status, Json? result, NodeFailure? failure) => Record(
        item.Key, node.Kind, status, item.Frame.StartedAt, result, failure is null ? null : ErrorOf(node, item.Scope, item.Frame.Attempt, failure));

    private void Register(Node node, PathScope scope, NameScope visible)
    {
        if (node.Compensate.IsEmpty)
            return;
        var compensation = new Compensation(node.Path, scope, visible.Take(Workflow.ReadBy(node.Compensate)));
        compensations = compensations.Add(compensation);
        compensationBytes += compensation.Bytes;
    }

    // Asked before the node does anything: what could not be remembered as done must not be done. What is being executed
    // at the same time was let in before, so that the limit may be passed by as many.
    private NodeFailure? TooMuchToUndo(Node node)
    {
        if (node.Compensate.IsEmpty)
            return null;
        if (compensations.Count + lingering.Count >= facts.Compensations)
            return new($"the instance has {facts.Compensations:N0} compensations to remember, and may not have more (Millrace:Limits:Compensations)", TooManyCode, Retryable: false);
        if (compensationBytes >= facts.CompensationBytes)
            return new($"what the instance's {compensations.Count:N0} compensations read takes {compensationBytes:N0} bytes, and may not take more than {facts.CompensationBytes:N0} (Millrace:Limits:CompensationBytes)", TooManyCode, Retryable: false);
        return null;
    }
}
