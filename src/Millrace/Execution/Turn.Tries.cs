using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// What is tried, what is done about a failure, and what is done in any case.
internal sealed partial class Turn
{
    private const string Error = "error";

    private Progress<Activity> StartTry(TryNode node, PathScope scope, NodeFrame frame)
    {
        var inner = scope.Within(node, frame);
        return FromBody(node, scope, frame, Enter(node.Nodes, inner));
    }

    private Progress<Activity> AdvanceTry(TryNode node, PathScope scope, NodeFrame frame, Trying trying, InstanceEvent happened)
    {
        var inner = scope.Within(node, frame, trying);
        switch (trying.Stage)
        {
            case TryStage.Body:
                return FromBody(node, scope, frame, Step(node.Nodes, inner, trying.Frame.Body, happened));
            case TryStage.Catch:
                var (progress, own) = Scoped(trying.Frame.Own, () => Step(node.Catch, inner, trying.Frame.Body, happened));
                return FromCatch(node, scope, frame, trying.Frame, progress, own);
            default:
                return FromFinally(trying, Step(node.Finally, inner, trying.Frame.Body, happened));
        }
    }

    private Progress<Activity> FromBody(TryNode node, PathScope scope, NodeFrame frame, Progress<SequenceFrame> progress)
    {
        if (progress is Active<SequenceFrame> active)
            return new Active<Activity>(new Trying(TryStage.Body, BodyAt(active.Frame), null));
        if (progress is not Failed<SequenceFrame> failed || node.Catch.IsEmpty)
            return Finally(node, scope, frame, EndOf(progress, resume => new(TryStage.Body, BodyAt(resume), null)));

        var caught = ImmutableDictionary<string, Json>.Empty.Add(Error, ErrorJson.OfInstance(failed.Error)!);
        var (handling, own) = Scoped(caught, () => Enter(node.Catch, scope.Within(node, frame)));
        return FromCatch(node, scope, frame, ScopedFrame.NotBegun, handling, own);
    }

    private Progress<Activity> FromCatch(
        TryNode node, PathScope scope, NodeFrame frame, ScopedFrame handling, Progress<SequenceFrame> progress, ImmutableDictionary<string, Json> own)
    {
        var standing = Standing(handling, progress, own);
        if (progress is Active<SequenceFrame>)
            return new Active<Activity>(new Trying(TryStage.Catch, standing, null));
        if (progress is not Failed<SequenceFrame>)
            names = names.With(own.Remove(Error));
        return Finally(node, scope, frame, EndOf(progress, _ => new(TryStage.Catch, standing, null)));
    }

    private Progress<Activity> Finally(TryNode node, PathScope scope, NodeFrame frame, PendingEnd pending)
    {
        if (node.Finally.IsEmpty)
            return End(pending);
        var trying = new Trying(TryStage.Finally, ScopedFrame.NotBegun, pending) { Since = frame.Attempt };
        return FromFinally(trying, Enter(node.Finally, scope.Within(node, frame, trying)));
    }

    // However the nodes have ended, a failure in here goes over it.
    private static Progress<Activity> FromFinally(Trying trying, Progress<SequenceFrame> progress) =>
        progress is Completed<SequenceFrame>
            ? End(trying.Pending!)
            : progress.Wrap<Activity>(body => trying with { Frame = BodyAt(body) });

    private static ScopedFrame BodyAt(SequenceFrame body) => ScopedFrame.NotBegun with { Body = body };

    private static PendingEnd EndOf(Progress<SequenceFrame> progress, Func<SequenceFrame, Trying> resume) => progress switch
    {
        Completed<SequenceFrame> completed => new(EndKind.Completed, completed.Result),
        Broke<SequenceFrame> broke => new(EndKind.Broke, broke.Result),
        Returned<SequenceFrame> returned => new(EndKind.Returned, returned.Result),
        Failed<SequenceFrame> failed => new(EndKind.Failed, null, failed.Error, resume(failed.Resume)),
        _ => throw new InvalidOperationException($"{progress.GetType().Name} is no end."),
    };

    private static Progress<Activity> End(PendingEnd pending) => pending.How switch
    {
        EndKind.Completed => new Completed<Activity>(pending.Value!),
        EndKind.Broke => new Broke<Activity>(pending.Value!),
        EndKind.Returned => new Returned<Activity>(pending.Value!),
        _ => new Failed<Activity>(pending.Error!, pending.Resume!),
    };
}
