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
        var inner = scope.Within(node, frame.Attempt);
        return FromBody(node, inner, Enter(node.Nodes, inner));
    }

    private Progress<Activity> AdvanceTry(TryNode node, PathScope scope, NodeFrame frame, Trying trying, InstanceEvent happened)
    {
        var inner = scope.Within(node, frame.Attempt);
        switch (trying.Stage)
        {
            case TryStage.Body:
                return FromBody(node, inner, Step(node.Nodes, inner, trying.Frame.Body, happened));
            case TryStage.Catch:
                var (progress, own) = Scoped(trying.Frame.Own, () => Step(node.Catch, inner, trying.Frame.Body, happened));
                return FromCatch(node, inner, trying.Frame, progress, own);
            default:
                return FromFinally(trying.Pending!, Step(node.Finally, inner, trying.Frame.Body, happened));
        }
    }

    private Progress<Activity> FromBody(TryNode node, PathScope inner, Progress<SequenceFrame> progress)
    {
        if (progress is Active<SequenceFrame> active)
            return new Active<Activity>(new Trying(TryStage.Body, BodyAt(active.Frame), null));
        if (progress is not Failed<SequenceFrame> failed || node.Catch.IsEmpty)
            return Finally(node, inner, EndOf(progress, resume => new(TryStage.Body, BodyAt(resume), null)));

        var caught = ImmutableDictionary<string, Json>.Empty.Add(Error, ErrorJson.OfInstance(failed.Error)!);
        var (handling, own) = Scoped(caught, () => Enter(node.Catch, inner));
        return FromCatch(node, inner, ScopedFrame.NotBegun, handling, own);
    }

    private Progress<Activity> FromCatch(
        TryNode node, PathScope inner, ScopedFrame frame, Progress<SequenceFrame> progress, ImmutableDictionary<string, Json> own)
    {
        var standing = Standing(frame, progress, own);
        if (progress is Active<SequenceFrame>)
            return new Active<Activity>(new Trying(TryStage.Catch, standing, null));
        if (progress is not Failed<SequenceFrame>)
            names = names.With(own.Remove(Error));
        return Finally(node, inner, EndOf(progress, _ => new(TryStage.Catch, standing, null)));
    }

    private Progress<Activity> Finally(TryNode node, PathScope inner, PendingEnd pending) =>
        node.Finally.IsEmpty ? End(pending) : FromFinally(pending, Enter(node.Finally, inner));

    // However the nodes have ended, a failure in here goes over it.
    private static Progress<Activity> FromFinally(PendingEnd pending, Progress<SequenceFrame> progress) =>
        progress is Completed<SequenceFrame>
            ? End(pending)
            : progress.Wrap<Activity>(body => new Trying(TryStage.Finally, BodyAt(body), pending));

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
