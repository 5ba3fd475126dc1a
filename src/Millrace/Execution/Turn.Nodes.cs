using System.Collections.Immutable;
using Millrace.Workflows;

namespace Millrace.Execution;

// The life of a node, whatever its kind: begin an attempt, take in events, end it with a result, or fail and perhaps
// try again.
internal sealed partial class Turn
{
    internal const string TimeoutCode = "timeout";
    internal const string CancelledCode = "cancelled";

    private Progress<NodeFrame> Begin(Node node, PathScope scope, int attempt)
    {
        var frame = new NodeFrame(attempt, at, Deadline(node), Executing.Instance);
        try
        {
            return Settle(node, scope, frame, Start(node, scope, frame));
        }
        catch (TemplateException e)
        {
            return Settle(node, scope, frame, Fails(node, scope, attempt, new(e.Message, "template", Retryable: false)));
        }
    }

    private Progress<NodeFrame> Advance(Node node, PathScope scope, NodeFrame frame, InstanceEvent happened)
    {
        if (happened is TimerDue && frame.Deadline <= at)
            return TimeOut(node, scope, frame);
        if (frame.Activity is BackingOff backingOff)
            return happened is TimerDue && backingOff.Due <= at ? Begin(node, scope, frame.Attempt + 1) : new Active<NodeFrame>(frame);
        try
        {
            return Settle(node, scope, frame, Take(node, scope, frame, happened));
        }
        catch (TemplateException e)
        {
            return Settle(node, scope, frame, Fails(node, scope, frame.Attempt, new(e.Message, "template", Retryable: false)));
        }
    }

    // What the kind does when an attempt begins.
    private Progress<Activity> Start(Node node, PathScope scope, NodeFrame frame) => node switch
    {
        SqlNode sql => Execute(SqlCommand(sql, Key(sql, scope, frame.Attempt))),
        HttpNode http => Execute(HttpCommand(http, Key(http, scope, frame.Attempt))),
        SleepNode sleep => StartSleep(sleep, scope, frame),
        SetNode set => BindAll(set, frame.Attempt),
        IfNode branch => Ask(branch, scope.Within(branch, frame.Attempt), frame, ImmutableDictionary<string, bool>.Empty),
        ReturnNode end => new Returned<Activity>(Templates(frame.Attempt).Value(end.Value)),
        FailNode fail => Fails(fail, scope, frame.Attempt, new(Templates(frame.Attempt).Text(fail.Message), "fail", Retryable: false)),
        _ => throw new InvalidOperationException($"Unknown kind {node.Kind}."),
    };

    // What the kind makes of an event while an attempt is active.
    private Progress<Activity> Take(Node node, PathScope scope, NodeFrame frame, InstanceEvent happened) =>
        (frame.Activity, happened) switch
        {
            (Executing, NodeCompleted done) when done.Key == Key(node, scope, frame.Attempt) => new Completed<Activity>(done.Result),
            (Executing, NodeFailed failed) when failed.Key == Key(node, scope, frame.Attempt) =>
                Fails(node, scope, frame.Attempt, failed.Failure),
            (Sleeping sleeping, TimerDue) when sleeping.Due <= at => Slept(sleeping, frame),
            (Testing testing, _) => Answer((IfNode)node, scope.Within(node, frame.Attempt), frame, testing, happened),
            (Inside inside, _) => AdvanceBranch((IfNode)node, scope.Within(node, frame.Attempt), inside, happened),
            _ => new Active<Activity>(frame.Activity),
        };

    // Turns what the kind says into what it means for the node: its result is bound, its end is recorded, a failed
    // attempt is followed by another where the node has one left.
    private Progress<NodeFrame> Settle(Node node, PathScope scope, NodeFrame frame, Progress<Activity> progress)
    {
        var key = Key(node, scope, frame.Attempt);
        switch (progress)
        {
            case Completed<Activity> { Result: var result }:
                if (node.As is { } name)
                    names = names.SetItem(name, result);
                Record(key, node.Kind, NodeStatus.Completed, frame.StartedAt, result, null);
                break;
            case Returned<Activity> { Result: var result }:
                Record(key, node.Kind, NodeStatus.Completed, frame.StartedAt, result, null);
                break;
            case Failed<Activity> { Error: var error }:
                return FailAttempt(node, key, frame, error);
        }

        return progress.Wrap(activity => frame with { Activity = activity });
    }

    private Progress<NodeFrame> FailAttempt(Node node, NodeKey key, NodeFrame frame, NodeError error)
    {
        Record(key, node.Kind, NodeStatus.Failed, frame.StartedAt, null, error);
        var retry = RetryOf(node);
        if (!error.Retryable || frame.Attempt >= retry.Attempts)
            return new Failed<NodeFrame>(error);

        var pause = retry.PauseAfter(frame.Attempt, Jitter.Share(facts.Id, key));
        return new Active<NodeFrame>(frame with { Deadline = null, Activity = new BackingOff(at + pause) });
    }

    private Progress<NodeFrame> TimeOut(Node node, PathScope scope, NodeFrame frame)
    {
        DropInner(node, scope, frame);
        var error = ErrorOf(node, scope, frame.Attempt, new($"timed out after {node.Timeout}", TimeoutCode));
        return FailAttempt(node, Key(node, scope, frame.Attempt), frame, error);
    }

    private static Retry RetryOf(Node node) => node.Retry ?? (node is HttpNode ? Retry.Default : Retry.None);

    // A statement's or a request's time limit is minded by whoever executes it; all others are the machine's.
    private DateTimeOffset? Deadline(Node node) =>
        node is { Timeout: { } timeout } and not (SqlNode or HttpNode) ? at + timeout : null;

    private static Failed<Activity> Fails(Node node, PathScope scope, int attempt, NodeFailure failure) =>
        new(ErrorOf(node, scope, attempt, failure));

    private static NodeError ErrorOf(Node node, PathScope scope, int attempt, NodeFailure failure) =>
        new(failure.Message, scope.Of(node), node.Kind, attempt, failure.Code, failure.Retryable);
}
