using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>An active sequence inside an active node.</summary>
/// <param name="Nodes">Its nodes.</param>
/// <param name="Scope">Where they are in this run.</param>
/// <param name="Frame">Where it stands.</param>
/// <param name="Own">The names it has bound for itself; null where it binds them in the sequence around the node.</param>
/// <param name="Item">The item it runs for, with its name.</param>
internal readonly record struct InnerSequence(
    ImmutableArray<Node> Nodes, PathScope Scope, SequenceFrame Frame, ImmutableDictionary<string, Json>? Own = null,
    KeyValuePair<string, Json>? Item = null)
{
    /// <summary>The active sequences inside a node, in the order of the definition.</summary>
    public static IEnumerable<InnerSequence> Of(Node node, PathScope scope, NodeFrame frame) => (node, frame.Activity) switch
    {
        (IfNode branch, Inside inside) => [new(inside.Then ? branch.Then : branch.Else, scope.Within(node, frame), inside.Body)],
        (BranchingNode branches, Branching inside) => OfBranches(branches, scope.Within(node, frame), inside),
        (LoopNode loop, Looping { Body: { } body } looping) => [new(loop.Nodes, scope.WithinTurn(node, frame, looping.Turn), body)],
        (ForEachNode forEach, Iterating iterating) => OfItems(forEach, scope, frame, iterating),
        (TryNode attempt, Trying { Frame: { Body: { } body } inner } trying) =>
            [new(NodesOf(attempt, trying.Stage), scope.Within(attempt, frame, trying), body, trying.Stage is TryStage.Catch ? inner.Own : null)],
        _ => [],
    };

    public static ImmutableArray<Node> NodesOf(TryNode node, TryStage stage) => stage switch
    {
        TryStage.Body => node.Nodes,
        TryStage.Catch => node.Catch,
        _ => node.Finally,
    };

    private static IEnumerable<InnerSequence> OfBranches(BranchingNode node, PathScope inner, Branching branching)
    {
        for (var i = 0; i < branching.Branches.Length; i++)
        {
            if (branching.Branches[i] is { Body: { } body } branch)
                yield return new(node.Branches[i], inner, body, branch.Own);
        }
    }

    private static IEnumerable<InnerSequence> OfItems(ForEachNode node, PathScope scope, NodeFrame frame, Iterating iterating)
    {
        foreach (var (index, item) in iterating.Active)
        {
            if (item.Body is { } body)
            {
                var value = KeyValuePair.Create(node.Item, Json.From(iterating.Items.Element[index]));
                yield return new(node.Do, scope.WithinItem(node, frame, index), body, item.Own, value);
            }
        }
    }
}
