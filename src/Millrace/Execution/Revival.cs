using System.Collections.Immutable;

namespace Millrace.Execution;

/// <summary>
/// Lets a failed instance go on from the nodes that failed. Those, and what was given up because of them, begin another
/// attempt; attempts so far do not count any more; everything that had completed stays as it is.
/// </summary>
public static class Revival
{
    /// <summary>The state to go on with.</summary>
    /// <param name="resume">Where the instance stood when it failed.</param>
    public static InstanceState Of(InstanceState resume) => resume with { Root = Of(resume.Root!) };

    private static SequenceFrame Of(SequenceFrame frame) => frame with { Child = Of(frame.Child) };

    // Executions that have ended or been given up are part of the history under their attempt's number, so each node that
    // is active gets the next one. A leaf reaches it by beginning again, a container as it stands. A condition is asked again
    // from its beginning, since the names that it reads may have been bound anew by finally. The time that a wait may
    // take counts anew, since nobody could end it meanwhile; the time that a sleep waits for is what it was.
    private static NodeFrame Of(NodeFrame frame) => frame.Activity switch
    {
        Executing or AwaitingChildren or AwaitingSignal => frame with { Forgiven = frame.Attempt, Deadline = null, Activity = new BackingOff(DateTimeOffset.UnixEpoch) },
        Testing => frame with { Forgiven = frame.Attempt, Deadline = null, Activity = new BackingOff(DateTimeOffset.UnixEpoch) { Since = frame.Since } },
        BackingOff pause => frame with { Forgiven = frame.Attempt, Deadline = null, Activity = pause with { Until = DateTimeOffset.UnixEpoch } },
        var activity => frame with { Attempt = frame.Attempt + 1, Forgiven = frame.Attempt, Deadline = null, Activity = Of(activity) },
    };

    private static Activity Of(Activity activity) => activity switch
    {
        Inside inside => inside with { Body = Of(inside.Body) },
        Branching branching => new Branching([.. branching.Branches.Select(Of)]),
        Looping { Body: { } body } looping => looping with { Body = Of(body) },
        Looping looping => looping with { Question = null, RestingSince = DateTimeOffset.UnixEpoch },
        Iterating iterating => iterating with { Active = iterating.Active.ToImmutableSortedDictionary(item => item.Key, item => Of(item.Value)) },
        Trying trying => trying with { Frame = Of(trying.Frame) },
        _ => activity,
    };

    private static ScopedFrame Of(ScopedFrame frame) => frame.Body is { } body ? frame with { Body = Of(body) } : frame;
}
