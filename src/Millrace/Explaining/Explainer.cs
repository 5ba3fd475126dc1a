using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Workflows;

namespace Millrace.Explaining;

/// <summary>Draws the picture of a definition, or of an instance from its state and its history.</summary>
public sealed class Explainer
{
    private readonly bool live;
    private readonly bool ended;
    private readonly Dictionary<string, NodeExecution> executions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodeFrame> active = new(StringComparer.Ordinal);

    private Explainer()
    {
    }

    private Explainer(Workflow workflow, InstanceState state, IEnumerable<NodeExecution> history, bool ended)
    {
        (live, this.ended) = (true, ended);
        foreach (var execution in history)
            executions[execution.Key.Path] = execution;
        foreach (var node in ActivePath.Of(workflow, state))
            active[node.Path] = node.Frame;
    }

    /// <summary>The picture of a definition.</summary>
    public static Explanation Of(Workflow workflow) =>
        new(workflow.Name, null, new Explainer().Nodes(workflow.Do, PathScope.Root, reachable: true));

    /// <summary>The picture of an instance.</summary>
    /// <param name="workflow">What it follows.</param>
    /// <param name="status">Its status.</param>
    /// <param name="state">Its state; <see cref="InstanceState.Initial"/> where it has ended or not begun.</param>
    /// <param name="history">Its executions, oldest first.</param>
    public static Explanation Of(Workflow workflow, InstanceStatus status, InstanceState state, IEnumerable<NodeExecution> history) =>
        new(workflow.Name, status.Name(), new Explainer(workflow, state, history, status.IsEnd()).Nodes(workflow.Do, PathScope.Root, reachable: true));

    private List<ExplainedNode> Nodes(ImmutableArray<Node> nodes, PathScope scope, bool reachable) =>
        [.. nodes.Select(node => Explain(node, scope, reachable))];

    private ExplainedNode Explain(Node node, PathScope scope, bool reachable)
    {
        var path = scope.Of(node);
        var frame = active.GetValueOrDefault(path);
        var execution = executions.GetValueOrDefault(path);
        var explained = new ExplainedNode
        {
            Path = node.Path,
            Id = node.Id,
            Kind = node.Kind,
            As = node.As,
            Summary = Summary.Of(node),
            Status = live ? StatusOf(frame, execution, reachable) : null,
            Attempt = frame?.Attempt ?? execution?.Key.Attempt,
            StartedAt = frame?.StartedAt ?? execution?.StartedAt,
            EndedAt = frame is null ? execution?.EndedAt : null,
            WaitingUntil = frame?.Activity is Sleeping or BackingOff ? frame.Activity.NextDue : null,
            Error = execution?.Error?.Message,
        };
        return node is IfNode branching ? explained with { Branches = BranchesOf(branching, scope, frame, execution, reachable) } : explained;
    }

    // Nodes of an earlier attempt are not shown: each attempt of a container has paths of its own.
    private List<ExplainedBranch> BranchesOf(IfNode node, PathScope scope, NodeFrame? frame, NodeExecution? execution, bool reachable)
    {
        var inner = scope.Within(node, frame?.Attempt ?? execution?.Key.Attempt ?? 1);
        var decided = frame is { Activity: Inside } || (frame is null && execution is not null);
        bool Taken(ImmutableArray<Node> branch) =>
            branch.Any(child => executions.ContainsKey(inner.Of(child)) || active.ContainsKey(inner.Of(child)));

        var branches = new List<ExplainedBranch>();
        foreach (var (name, nodes) in new[] { ("then", node.Then), ("else", node.Else) })
        {
            if (!nodes.IsEmpty)
                branches.Add(new(name, Nodes(nodes, inner, reachable && (!decided || Taken(nodes)))));
        }

        return branches;
    }

    private string StatusOf(NodeFrame? frame, NodeExecution? execution, bool reachable) => (frame, execution) switch
    {
        ({ Activity: Sleeping or BackingOff }, _) => "waiting",
        ({ }, _) => "running",
        (null, { } done) => done.Status.Name(),
        _ => ended || !reachable ? "skipped" : "pending",
    };
}
