using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// The life of a node, whatever its kind: begin an attempt, take in events, end it with a result, or fail and perhaps
// try again.
internal sealed partial class Turn
{
    internal const string TimeoutCode = "timeout";
    internal const string CancelledCode = "cancelled";
    private const string TooManyCode = "too_many_compensations";

    private Progress<NodeFrame> Begin(Node node, PathScope scope, int attempt, int forgiven, int? since = null)
    {
        var frame = new NodeFrame(attempt, at, Deadline(node), Executing.Instance) { Forgiven = forgiven, Since = since ?? attempt };
        return Guarded(node, scope, frame, () => TooMuchToUndo(node) is { } refused ? Fails(node, scope, frame, refused) : Start(node, scope, frame));
    }

    private Progress<NodeFrame> Advance(Node node, PathScope scope, NodeFrame frame, InstanceEvent happened)
    {
        if (happened is TimerDue && frame.Deadline <= at)
            return TimeOut(node, scope, frame);
        if (frame.Activity is BackingOff backingOff)
        {
            return happened is TimerDue && backingOff.Until <= at
                ? Begin(node, scope, frame.Attempt + 1, frame.Forgiven, backingOff.Since)
                : new Active<NodeFrame>(frame);
        }

        return Guarded(node, scope, frame, () => Take(node, scope, frame, happened));
    }

    private Progress<NodeFrame> Guarded(Node node, PathScope scope, NodeFrame frame, Func<Progress<Activity>> step)
    {
        try
        {
            return Settle(node, scope, frame, step());
        }
        catch (TemplateException e)
        {
            return Settle(node, scope, frame, Fails(node, scope, frame, new(e.Message, e.Code, Retryable: false)));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // It would come again with every worker that takes the same event in, so it is the node's end. A container's own
            // step fails before its nodes have begun or over its condition, when nothing inside is active.
            var broken = new NodeFailure($"the node could not go on: its values cannot be worked with ({e.GetType().Name})", "internal", Retryable: false);
            return Settle(node, scope, frame, Fails(node, scope, frame, broken));
        }
    }

    // What the kind does when an attempt begins.
    private Progress<Activity> Start(Node node, PathScope scope, NodeFrame frame) => node switch
    {
        SqlNode sql => Execute(SqlCommand(sql, scope.Key(sql, frame.Attempt))),
        HttpNode http => Execute(HttpCommand(http, scope.Key(http, frame.Attempt))),
        CallNode call => Execute(CallCommand(call, scope.Key(call, frame.Attempt))),
        RunNode run => StartChild(run, scope, frame),
        SleepNode sleep => StartSleep(sleep, scope, frame),
        WaitForScheduleNode wait => new Active<Activity>(new Sleeping(wait.Schedule.Next(at))),
        WaitForSignalNode wait => StartWait(wait, frame),
        SetNode set => BindAll(set, frame.Attempt),
        IfNode branch => Ask(branch, scope, frame, ImmutableDictionary<string, bool>.Empty),
        BranchingNode branches => StartBranches(branches, scope, frame),
        LoopNode loop => Loop(loop, scope, frame, new(0, null, null, null, at), null),
        ForEachNode forEach => StartItems(forEach, scope, frame),
        TryNode attempt => StartTry(attempt, scope, frame),
        BreakNode end => new Broke<Activity>(Templates(frame.Attempt).Value(end.Value)),
        ReturnNode end => new Returned<Activity>(Templates(frame.Attempt).Value(end.Value)),
        FailNode fail => Fails(fail, scope, frame, new(Templates(frame.Attempt).Text(fail.Message), "fail", Retryable: false)),
        _ => throw new InvalidOperationException($"Unknown kind {node.Kind}."),
    };

    // What the kind makes of an event while an attempt is active.
    private Progress<Activity> Take(Node node, PathScope scope, NodeFrame frame, InstanceEvent happened) =>
        (frame.Activity, happened) switch
        {
            (Executing or AwaitingChildren, NodeCompleted done) when done.Key == scope.Key(node, frame.Attempt) => new Completed<Activity>(done.Result.As(KindOf(node))),
            (Executing or AwaitingChildren, NodeFailed failed) when frame.TimedOut && failed.Key == scope.Key(node, frame.Attempt) => Fails(node, scope, frame, TimedOut(node)),
            (Executing, NodeFailed failed) when failed.Key == scope.Key(node, frame.Attempt) => Fails(node, scope, frame, failed.Failure),
            (AwaitingChildren, NodeFailed failed) when failed.Key == scope.Key(node, frame.Attempt) => FailsOfChild(node, scope, frame, failed),
            (Sleeping sleeping, TimerDue) when sleeping.Until <= at => Slept(node, sleeping, frame),
            (AwaitingSignal waiting, SignalArrived arrived) => Receive(waiting, arrived.Signal),
            (AwaitingSignal waiting, TimerDue) when waiting.Until <= at => new Completed<Activity>(SignalResult(waiting.Name, null)),
            (Testing testing, _) => Answer((IfNode)node, scope, frame, testing.Question, happened),
            (Inside inside, _) => AdvanceBranch((IfNode)node, scope.Within(node, frame), inside, happened),
            (Branching branching, _) => AdvanceBranches((BranchingNode)node, scope, frame, branching, happened),
            (Looping looping, _) => Loop((LoopNode)node, scope, frame, looping, happened),
            (Iterating iterating, _) => AdvanceItems((ForEachNode)node, scope, frame, iterating, happened),
            (Trying trying, _) => AdvanceTry((TryNode)node, scope, frame, trying, happened),
            _ => new Active<Activity>(frame.Activity),
        };

    // Turns what the kind says into what it means for the node: its result is bound, its end is recorded, a failed
    // attempt is followed by another where the node has one left.
    private Progress<NodeFrame> Settle(Node node, PathScope scope, NodeFrame frame, Progress<Activity> progress)
    {
        var key = scope.Key(node, frame.Attempt);
        if (ResultOf(progress) is { } made && Excess(node, made) is { } excess)
            progress = new Failed<Activity>(ErrorOf(node, scope, frame.Attempt, excess), IsInside(frame) ? frame.Activity : Again(node, frame));
        switch (progress)
        {
            case Completed<Activity> { Result: var result }:
                if (node.As is { } name)
                    names = names.With(name, result);
                Register(node, scope, names);
                Record(key, node.Kind, NodeStatus.Completed, frame.StartedAt, result, null);
                break;
            case Returned<Activity> { Result: var result }:
                Record(key, node.Kind, NodeStatus.Completed, frame.StartedAt, result, null);
                break;
            case Broke<Activity> { Result: var result }:
                Record(key, node.Kind, NodeStatus.Completed, frame.StartedAt, result, null);
                break;
            case Failed<Activity> failed:
                return FailAttempt(node, key, frame with { Activity = failed.Resume }, failed.Error);
        }

        return progress.Wrap(activity => frame with { Activity = activity });
    }

    // Whether there is something inside that need not be done again.
    private static bool IsInside(NodeFrame frame) => frame.Activity is Inside or Branching or Looping or Iterating or Trying;

    // What a result is comes from its node. Containers hand on the last result inside as what it is there.
    private static ResultKind KindOf(Node node) => node switch
    {
        SqlNode => ResultKind.Rows,
        HttpNode => ResultKind.Response,
        _ => ResultKind.Value,
    };

    private static Json? ResultOf(Progress<Activity> progress) => progress switch
    {
        Completed<Activity> completed => completed.Result,
        Returned<Activity> returned => returned.Result,
        Broke<Activity> broke => broke.Result,
        _ => null,
    };

    // A value can be put into the next one again and again: it grows until it meets a limit. How deep a result nests that
    // was made outside has been seen to where it came in.
    private NodeFailure? Excess(Node node, Json result)
    {
        if (result.Utf8.Length > facts.ResultBytes)
            return new($"the result takes {result.Utf8.Length:N0} bytes; at most {facts.ResultBytes:N0} are allowed", "result_too_large", Retryable: false);
        return node is not (SqlNode or HttpNode or CallNode) && JsonText.NestsDeeper(result.Utf8.Span, Json.MaxDepth)
            ? new($"the result nests deeper than {Json.MaxDepth} levels", "result", Retryable: false)
            : null;
    }

    private Progress<NodeFrame> FailAttempt(Node node, NodeKey key, NodeFrame frame, NodeError error)
    {
        Record(key, node.Kind, NodeStatus.Failed, frame.StartedAt, null, error);
        var retry = RetryOf(node);
        if (error.IsHeldBack)
            frame = frame with { Forgiven = frame.Forgiven + 1 };
        else if (!error.Retryable || frame.Attempt - frame.Forgiven >= retry.Attempts)
            return new Failed<NodeFrame>(error, frame with { Deadline = null });

        // What is held back again and again comes back less and less often, although none of it counts.
        var step = error.IsHeldBack ? frame.Attempt : frame.Attempt - frame.Forgiven;
        var pause = retry.PauseAfter(step, Jitter.Share(facts.Id, key), error.RetryAfter);
        return new Active<NodeFrame>(frame with { Deadline = null, Activity = new BackingOff(at + pause) });
    }

    private Progress<NodeFrame> TimeOut(Node node, PathScope scope, NodeFrame frame)
    {
        if (AwaitsEnd(node, frame))
            return EndSoon(node, scope, frame);
        DropInner(node, scope, frame);
        var error = ErrorOf(node, scope, frame.Attempt, TimedOut(node));
        return FailAttempt(node, scope.Key(node, frame.Attempt), frame with { Activity = Again(node, frame) }, error);
    }

    private static NodeFailure TimedOut(Node node) => new($"timed out after {node.Timeout}", TimeoutCode);

    private static Retry RetryOf(Node node) => node.Retry ?? (node is HttpNode ? Retry.Default : Retry.None);

    // A statement's, a request's and a call's time limit is minded by whoever executes it, a signal's is a result; all
    // others are the machine's.
    private DateTimeOffset? Deadline(Node node) =>
        node is { Timeout: { } timeout } and not (SqlNode or HttpNode or CallNode or WaitForSignalNode) ? at + timeout : null;

    // Where a node that has itself failed would go on: with another attempt. Statements of a condition may have been executed.
    private BackingOff Again(Node node, NodeFrame frame) => new(at) { Since = node is IfNode && !IsInside(frame) ? frame.Since : null };

    private Failed<Activity> Fails(Node node, PathScope scope, NodeFrame frame, NodeFailure failure) =>
        new(ErrorOf(node, scope, frame.Attempt, failure), Again(node, frame));

    private static NodeError ErrorOf(Node node, PathScope scope, int attempt, NodeFailure failure) =>
        new(failure.Message, scope.Of(node), node.Kind, attempt, failure.Code, failure.Retryable) { RetryAfter = failure.RetryAfter, IsHeldBack = failure.IsHeldBack };
}
