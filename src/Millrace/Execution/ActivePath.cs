using System.Collections.Immutable;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>An active node of a state.</summary>
/// <param name="Node">The node.</param>
/// <param name="Path">Its path in this run.</param>
/// <param name="Frame">What it is doing.</param>
internal readonly record struct ActiveNode(Node Node, string Path, NodeFrame Frame);

/// <summary>The active nodes of a state, outermost first.</summary>
internal static class ActivePath
{
    public static IEnumerable<ActiveNode> Of(Workflow workflow, InstanceState state) =>
        state.Root is { } root ? Walk(workflow.Do, PathScope.Root, root) : [];

    private static IEnumerable<ActiveNode> Walk(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        while (true)
        {
            var node = nodes[frame.Index];
            yield return new(node, scope.Of(node), frame.Child);
            if (frame.Child.Activity is not Inside inside)
                yield break;
            scope = scope.Within(node, frame.Child.Attempt);
            nodes = Turn.Branch((IfNode)node, inside);
            frame = inside.Body;
        }
    }
}
