using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>One decision in the making: what the walk over the active path has found so far.</summary>
internal sealed partial class Turn(InstanceFacts facts, InstanceState state, DateTimeOffset at)
{
    private readonly List<Command> commands = [];
    private readonly List<NodeExecution> ended = [];
    private ImmutableDictionary<string, Json> names = state.Names;

    public IReadOnlyList<Command> Commands => commands;

    /// <summary>Closes the decision.</summary>
    public Decision Decided(Progress<SequenceFrame> progress)
    {
        var (root, outcome) = progress switch
        {
            Active<SequenceFrame> active => (active.Frame, (Outcome?)null),
            Completed<SequenceFrame> completed => (null, new(InstanceStatus.Completed, completed.Result, null)),
            Returned<SequenceFrame> returned => (null, new(InstanceStatus.Completed, returned.Result, null)),
            Failed<SequenceFrame> { Error: var error } => (null, new(error.Code == CancelledCode ? InstanceStatus.Cancelled : InstanceStatus.Failed, null, error)),
            _ => throw new InvalidOperationException($"Unknown progress {progress.GetType().Name}."),
        };

        // Nobody reads a result once the instance has ended.
        var kept = outcome is null ? names : ImmutableDictionary<string, Json>.Empty;
        return new(new(root, kept, state.Executions + ended.Count, outcome), commands, ended);
    }

    /// <summary>Begins a sequence at its first node.</summary>
    public Progress<SequenceFrame> Enter(ImmutableArray<Node> nodes, PathScope scope) => Continue(nodes, scope, 0, Json.Null);

    /// <summary>Passes an event to the active node of a sequence, and goes on from there.</summary>
    public Progress<SequenceFrame> Advance(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame, InstanceEvent happened)
    {
        var progress = Advance(nodes[frame.Index], scope, frame.Child, happened);
        return progress is Completed<NodeFrame> completed
            ? Continue(nodes, scope, frame.Index + 1, completed.Result)
            : progress.Wrap(child => new SequenceFrame(frame.Index, child));
    }

    private Progress<SequenceFrame> Continue(ImmutableArray<Node> nodes, PathScope scope, int index, Json last)
    {
        for (; index < nodes.Length; index++)
        {
            var progress = Begin(nodes[index], scope, attempt: 1);
            if (progress is not Completed<NodeFrame> completed)
                return progress.Wrap(child => new SequenceFrame(index, child));
            last = completed.Result;
        }

        return new Completed<SequenceFrame>(last);
    }

    private TemplateScope Templates(int attempt) => new(facts, names, attempt);

    private static NodeKey Key(Node node, PathScope scope, int attempt) => new(scope.Of(node), 0, attempt);

    private void Record(NodeKey key, string kind, NodeStatus status, DateTimeOffset startedAt, Json? result, NodeError? error) =>
        ended.Add(new(state.Executions + ended.Count, key, kind, status, result, error, startedAt, at));
}
