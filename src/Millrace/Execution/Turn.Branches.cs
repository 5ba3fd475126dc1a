using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// Joins and races. Branches take an event in order; the first one that ends the node keeps it from those after it.
internal sealed partial class Turn
{
    private Progress<Activity> StartBranches(BranchingNode node, PathScope scope, NodeFrame frame) =>
        AdvanceBranches(node, scope, frame, new([.. Enumerable.Repeat(ScopedFrame.NotBegun, node.Branches.Length)]), null);

    private Progress<Activity> AdvanceBranches(BranchingNode node, PathScope scope, NodeFrame frame, Branching branching, InstanceEvent? happened)
    {
        var inner = scope.Within(node, frame);
        var branches = branching.Branches.ToBuilder();
        for (var i = 0; i < branches.Count; i++)
        {
            var branch = branches[i];
            if (branch.Result is not null)
                continue;
            var (progress, own) = Scoped(branch.Own, () => Step(node.Branches[i], inner, branch.Body, happened));
            branches[i] = Standing(branch, progress, own);
            if (progress is Active<SequenceFrame> || (progress is Completed<SequenceFrame> && node is JoinNode))
                continue;

            // This branch decides; the others are given up, in the order in which they stand.
            for (var other = 0; other < branches.Count; other++)
            {
                if (other != i && branches[other] is { Body: { } body, Own: var bound })
                    Drop(new(node.Branches[other], inner, body, bound));
            }

            if (progress is not Failed<SequenceFrame>)
                names = names.With(own);
            return progress.Wrap<Activity>(_ => new Branching(branches.ToImmutable()));
        }

        return branches.All(branch => branch.Result is not null)
            ? Joined(branches)
            : new Active<Activity>(new Branching(branches.ToImmutable()));
    }

    private Completed<Activity> Joined(ImmutableArray<ScopedFrame>.Builder branches)
    {
        foreach (var branch in branches)
            names = names.With(branch.Own);
        return new(Json.ArrayOf(branches.Select(branch => branch.Result!)));
    }

    private Progress<SequenceFrame> Step(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame? body, InstanceEvent? happened) =>
        body is null ? Enter(nodes, scope) : happened is null ? new Active<SequenceFrame>(body) : Advance(nodes, scope, body, happened);

    private static ScopedFrame Standing(ScopedFrame frame, Progress<SequenceFrame> progress, ImmutableDictionary<string, Json> own) => progress switch
    {
        Active<SequenceFrame> active => frame with { Body = active.Frame, Own = own },
        Failed<SequenceFrame> failed => frame with { Body = failed.Resume, Own = own },
        Completed<SequenceFrame> completed => new(null, own, completed.Result),
        _ => frame,
    };
}
