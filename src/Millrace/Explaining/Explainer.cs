using System.Collections.Immutable;
using System.Globalization;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Workflows;

namespace Millrace.Explaining;

/// <summary>
/// Draws the picture of a definition, or of an instance from its state and its history. A loop is shown in its latest
/// turn: what has not run in that one is pending, whatever earlier turns did. Of a forEach the first active item is shown,
/// or else the last one.
/// </summary>
public sealed class Explainer
{
    private const string Completed = "completed";
    private const string Failed = "failed";
    private const string Cancelled = "cancelled";
    private const string Skipped = "skipped";
    private const string Pending = "pending";
    private const string Running = "running";
    private const string Waiting = "waiting";

    // By paths without the marks of callers' retries: what such a retry goes on with was executed in an earlier attempt.
    private readonly Dictionary<(string Path, int Iteration), ExecutionSketch> executions = [];
    private readonly Dictionary<string, int> lastTurns = new(StringComparer.Ordinal);

    private readonly Dictionary<(string Path, int Iteration), NodeFrame> lingering = [];
    private readonly bool ended;

    private Explainer(IEnumerable<ExecutionSketch> history, IEnumerable<Lingering> lingering, bool ended)
    {
        this.ended = ended;
        foreach (var item in lingering)
            this.lingering[(PathScope.EffectOf(item.Key.Path), item.Key.Iteration)] = item.Frame;
        foreach (var execution in history)
        {
            var path = PathScope.EffectOf(execution.Key.Path);
            executions[(path, execution.Key.Iteration)] = execution;
            lastTurns[path] = Math.Max(execution.Key.Iteration, lastTurns.GetValueOrDefault(path));
        }
    }

    private static (string Path, int Iteration) PlaceOf(Node node, PathScope scope) => (PathScope.EffectOf(scope.Of(node)), scope.Iteration);

    /// <summary>The picture of a definition.</summary>
    public static Explanation Of(Workflow workflow) => new(workflow.Name, null, [.. workflow.Do.Select(Plain)]);

    /// <summary>The picture of an instance.</summary>
    /// <param name="workflow">What it follows.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="status">Its status.</param>
    /// <param name="state">Its state; <see cref="InstanceState.Initial"/> where it has ended or not begun.</param>
    /// <param name="history">Its executions, oldest first.</param>
    public static Explanation Of(Workflow workflow, InstanceFacts facts, InstanceStatus status, InstanceState state, IEnumerable<ExecutionSketch> history)
    {
        var around = status switch
        {
            InstanceStatus.Completed => Completed,
            InstanceStatus.Failed => Failed,
            InstanceStatus.Cancelled => Cancelled,
            _ => state.Ending is null ? Running : state.Ending.Status is InstanceStatus.Cancelled ? Cancelled : Failed,
        };
        var nodes = new Explainer(history, state.Lingering, status.IsEnd()).Sequence(Machine.NodesOf(workflow, facts), PathScope.Root, state.Root, around, state.Ending);
        return new(workflow.Name, status.Name(), nodes);
    }

    private static ExplainedNode Plain(Node node) => Describe(node) with
    {
        Branches = [.. BodiesOf(node).Select(body => new ExplainedBranch(body.Name, [.. body.Nodes.Select(Plain)]))],
    };

    private static ExplainedNode Describe(Node node) =>
        new() { Path = node.Path, Id = node.Id, Kind = node.Kind, As = node.As, Summary = Summary.Of(node) };

    private static IEnumerable<Body> BodiesOf(Node node) => node.Compensate.IsEmpty ? node.Bodies : node.Bodies.Append(new("compensate", node.Compensate));

    // "around" is the status of what contains the sequence.
    private List<ExplainedNode> Sequence(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame? frame, string around, Ending? ending) =>
        [.. nodes.Select((node, index) => Node(node, scope, frame?.Index == index ? frame.Child : null, index < frame?.Index, around, ending))];

    private ExplainedNode Node(Node node, PathScope scope, NodeFrame? frame, bool isBehind, string around, Ending? ending)
    {
        // What was given up and has not ended yet is shown as what it is: running.
        frame ??= lingering.GetValueOrDefault(PlaceOf(node, scope));
        var execution = executions.GetValueOrDefault(PlaceOf(node, scope));
        var status = StatusOf(node, scope, frame, execution, isBehind, around);
        var explained = Describe(node) with
        {
            Status = status,
            Attempt = frame?.Attempt ?? execution?.Key.Attempt,
            StartedAt = frame?.StartedAt ?? execution?.StartedAt,
            EndedAt = frame is null ? execution?.EndedAt : null,
            WaitingUntil = status == Waiting ? frame!.NextDue : null,
            Detail = DetailOf(node, frame, execution),
            Error = execution?.Error,
        };
        var attempt = explained.Attempt ?? 1;
        return explained with { Branches = [.. BodiesOf(node).Select(body => Branch(node, body, scope, attempt, frame, status, ending))] };
    }

    private static string StatusOf(Node node, PathScope scope, NodeFrame? frame, ExecutionSketch? execution, bool isBehind, string around)
    {
        if (frame is not null)
            return WaitingOn.ReasonOf(new(node, scope, frame)) is null ? Running : Waiting;
        if (execution is { Status: NodeStatus.Cancelled })
            return around == Cancelled ? Cancelled : Skipped;
        if (execution is not null)
            return execution.Status.Name();
        // The history is cut where it is very long; what lies behind the active node has ended all the same.
        return isBehind ? Completed : around == Running ? Pending : Skipped;
    }

    private ExplainedBranch Branch(Node node, Body body, PathScope scope, int attempt, NodeFrame? frame, string status, Ending? ending)
    {
        if (body.Name == "compensate" && body.Nodes == node.Compensate)
            return new(body.Name, Compensation(node, scope, ending, status));
        if (node is ForEachNode { Spread: true })
            return new(body.Name, [.. body.Nodes.Select(inner => Everywhere(inner, status is Running or Waiting ? Pending : status is Completed ? Completed : Skipped))]);

        var active = frame is null ? default : InnerSequence.Of(node, scope, frame).FirstOrDefault(inner => inner.Nodes == body.Nodes);
        if (active.Frame is not null)
            return new(body.Name, Sequence(body.Nodes, active.Scope, active.Frame, Running, ending));

        var inner = ScopeOf(node, body, scope, attempt, frame);
        var around = status is Running or Waiting or Pending ? IsOver(node, body, inner, frame) ? Completed : Running : status;
        return new(body.Name, Sequence(body.Nodes, inner, null, around, ending));
    }

    // Whether a sequence inside an active node will not run any more, or not in this turn.
    private bool IsOver(Node node, Body body, PathScope inner, NodeFrame? frame) => (node, frame?.Activity) switch
    {
        (IfNode, Inside) => true,
        (TryNode attempt, Trying trying) => body.Nodes == attempt.Nodes || (body.Nodes == attempt.Catch && trying.Stage is TryStage.Finally),
        (BranchingNode, Branching) => body.Nodes.Any(child => executions.ContainsKey(PlaceOf(child, inner))),
        (LoopNode, Looping { Question: not null }) => true,
        _ => false,
    };

    private PathScope ScopeOf(Node node, Body body, PathScope scope, int attempt, NodeFrame? frame)
    {
        var since = frame?.Since ?? SinceOf(node, body, scope, attempt);
        switch (node)
        {
            case LoopNode loop:
                var inner = scope.WithinTurn(loop, attempt, since, 0);
                var turn = (frame?.Activity as Looping)?.Turn ?? loop.Nodes.Max(child => lastTurns.GetValueOrDefault(PlaceOf(child, inner).Path));
                return scope.WithinTurn(loop, attempt, since, turn);
            case ForEachNode forEach:
                return scope.WithinItem(forEach, attempt, since, LastItem(PathScope.EffectOf(scope.WithinItem(forEach, attempt, since, 0).Run)));
            default:
                return scope.Within(node, attempt, since);
        }
    }

    // Whether an attempt that has ended went on from an earlier one is seen from what was executed inside: the first node of
    // a sequence is there if anything of it is.
    private int SinceOf(Node node, Body body, PathScope scope, int attempt)
    {
        if (body.Nodes.IsEmpty)
            return attempt;
        for (var since = attempt; since > 1; since--)
        {
            var inner = node switch
            {
                LoopNode => scope.WithinTurn(node, attempt, since, 0),
                ForEachNode => scope.WithinItem(node, attempt, since, 0),
                _ => scope.Within(node, attempt, since),
            };
            if (lastTurns.ContainsKey(PlaceOf(body.Nodes[0], inner).Path))
                return since;
        }

        return 1;
    }

    // Of the items that have left executions, the last one.
    private int LastItem(string first)
    {
        var prefix = first[..^2];
        var last = 0;
        foreach (var (path, _) in executions.Keys)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal)
                && path.IndexOf(']', prefix.Length) is > 0 and var end
                && int.TryParse(path.AsSpan(prefix.Length, end - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                last = Math.Max(last, index);
        }

        return last;
    }

    // What undoes a node runs after everything else, if at all.
    private List<ExplainedNode> Compensation(Node node, PathScope scope, Ending? ending, string status)
    {
        var isCurrent = ending?.Current is { } current && current.Path == node.Path && current.Scope == scope;
        var mayCome = status is Completed or Running or Waiting or Pending && !ended;
        return Sequence(node.Compensate, scope, isCurrent ? ending!.Body : null, mayCome ? Running : Skipped, null);
    }

    private static ExplainedNode Everywhere(Node node, string status) => Plain(node) with { Status = status };

    private static string? DetailOf(Node node, NodeFrame? frame, ExecutionSketch? execution) => (node, frame?.Activity) switch
    {
        (_, AwaitingSignal signal) => $"signal {signal.Name}",
        (_, Looping looping) => string.Create(CultureInfo.InvariantCulture, $"turn {looping.Turn + 1}"),
        (_, Iterating iterating) => string.Create(CultureInfo.InvariantCulture, $"{iterating.Results.Count} of {iterating.Items.Element.GetArrayLength()} items"),
        (ForEachNode { Spread: true }, _) => "items are instances of their own",
        (ForEachNode, null) when execution?.Items is { } items => string.Create(CultureInfo.InvariantCulture, $"{items} items"),
        _ => null,
    };
}
