using System.Collections.Immutable;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>An active node of a state.</summary>
/// <param name="Node">The node.</param>
/// <param name="Scope">Where it is in this run.</param>
/// <param name="Frame">What it is doing.</param>
internal readonly record struct ActiveNode(Node Node, PathScope Scope, NodeFrame Frame)
{
    public NodeKey Key => Scope.Key(Node, Frame.Attempt);
}

/// <summary>
/// The active nodes of a state, outer ones before inner ones, otherwise in the order of the definition; those that linger
/// come last.
/// </summary>
internal static class ActivePath
{
    public static IEnumerable<ActiveNode> Of(Workflow workflow, InstanceFacts facts, InstanceState state) =>
        Walk(workflow, facts, state).Concat(state.Lingering.Select(item => new ActiveNode(workflow.NodeAt(item.Path), item.Scope, item.Frame)));

    private static IEnumerable<ActiveNode> Walk(Workflow workflow, InstanceFacts facts, InstanceState state) => state switch
    {
        { Ending: { Current: { } current, Body: { } body } } => Walk(workflow.NodeAt(current.Path).Compensate, current.Scope, body),
        { Root: { } root } => Walk(Machine.NodesOf(workflow, facts), PathScope.Root, root),
        _ => [],
    };

    private static IEnumerable<ActiveNode> Walk(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        var node = nodes[frame.Index];
        yield return new(node, scope, frame.Child);
        foreach (var inner in InnerSequence.Of(node, scope, frame.Child))
        {
            foreach (var active in Walk(inner.Nodes, inner.Scope, inner.Frame))
                yield return active;
        }
    }
}
