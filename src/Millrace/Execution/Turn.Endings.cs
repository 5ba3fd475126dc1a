using System.Collections.Immutable;
using Millrace.Workflows;

namespace Millrace.Execution;

// Giving up what is active, and doing again what was.
internal sealed partial class Turn
{
    /// <summary>Ends the instance at a caller's wish.</summary>
    public Progress<SequenceFrame> Cancel(ImmutableArray<Node> nodes, SequenceFrame? frame, string? reason)
    {
        if (frame is not null)
            Drop(nodes, PathScope.Root, frame);
        return new Failed<SequenceFrame>(new(reason ?? "cancelled", null, null, 0, CancelledCode, Retryable: false));
    }

    // Innermost first, as they would have ended by themselves.
    private void Drop(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        var node = nodes[frame.Index];
        DropInner(node, scope, frame.Child);
        // While a node backs off, its attempt has been recorded already.
        if (frame.Child.Activity is not BackingOff)
            Record(Key(node, scope, frame.Child.Attempt), node.Kind, NodeStatus.Cancelled, frame.Child.StartedAt, null, null);
    }

    private void DropInner(Node node, PathScope scope, NodeFrame frame)
    {
        switch (frame.Activity)
        {
            case Executing:
                commands.Add(new Abandon(Key(node, scope, frame.Attempt)));
                break;
            case Testing testing:
                var key = new NodeKey(scope.Within(node, frame.Attempt).Of(testing.Path), 0, 1);
                commands.Add(new Abandon(key));
                Record(key, "sql", NodeStatus.Cancelled, testing.StartedAt, null, null);
                break;
            case Inside inside:
                Drop(Branch((IfNode)node, inside), scope.Within(node, frame.Attempt), inside.Body);
                break;
        }
    }

    /// <summary>Issues again the commands of everything that is being executed.</summary>
    public void Reissue(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        var node = nodes[frame.Index];
        var attempt = frame.Child.Attempt;
        switch (frame.Child.Activity)
        {
            case Executing:
                Start(node, scope, frame.Child);
                break;
            case Testing testing:
                var inner = scope.Within(node, attempt);
                Ask((IfNode)node, inner, frame.Child, testing.Answers);
                break;
            case Inside inside:
                Reissue(Branch((IfNode)node, inside), scope.Within(node, attempt), inside.Body);
                break;
        }
    }

    internal static ImmutableArray<Node> Branch(IfNode node, Inside inside) => inside.Then ? node.Then : node.Else;
}
