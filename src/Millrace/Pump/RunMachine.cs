using Millrace.Execution;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Decides what a run does: a function of its state and of what happens to it, without I/O, clock or threads. What is done
/// outside, and in which order answers come back, is up to whoever asks it: <see cref="InstanceRun"/>, and a model of the
/// store with random interleavings.
/// </summary>
internal static partial class RunMachine
{
    /// <summary>Takes in what has happened.</summary>
    public static RunState On(RunState run, RunEvent happened)
    {
        if (run.End is not null)
            return run;
        try
        {
            return Settled(Take(run, happened));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The same events lead to the same exception, so another worker would not come further: the instance fails at once.
            return CannotGoOn(happened is Loaded loaded ? run with { Journal = loaded.Journal } : run, e);
        }
    }

    private static RunState Take(RunState run, RunEvent happened) => happened switch
    {
        Loaded loaded => Load(run, loaded),
        Told told => Observe(run, told.At, told.Standing),
        Nudged => run with { LookWanted = true },
        Looked { Standing: { } standing } looked => Observe(run with { LookWanted = false }, looked.At, standing),
        Looked => run with { IsLost = true },
        LeaseLost => run with { IsLost = true },
        Interrupted => run with { IsStopping = true },
        Begun begun => Begin(run, begun),
        ExecutionEnded ended => End(run, ended),
        ExecutionBroke broke => run.Running.Contains(broke.Key) && run.Journal!.State.Outcome is null ? run with { Fault = run.Fault ?? RunFault.Of(broke.Key).After(run.FaultBefore) } : run,
        SignalsRead read => run with { Journal = run.Journal!.Take(read.Signals.Select(signal => new SignalArrived(read.At, signal))) },
        ChildrenRead read => run with
        {
            ChildrenLooked = true,
            ChildrenSeen = Math.Max(run.ChildrenSeen, read.Counted),
            Journal = run.Journal!.Take(read.Ends.Where(end => IsNews(run, end))),
        },
        ChildrenBroke broke => run with { Fault = run.Fault ?? ForChildren(run, broke.Key) },
        Ticked tick => run.IsCatchingUp ? CatchUp(run, tick.At) : run with { Journal = run.Journal!.Take(new TimerDue(tick.At)) },
        Written written => Answered(run, written),
        Weighed weighed => run.Journal!.State.Outcome is null && TooLarge(run, weighed.Bytes) is { } outcome ? run with { Journal = run.Journal.End(outcome) } : run,
        WriteUnsure => run with { IsUnsure = true },
        WriteRefused refused => Refused(run, refused),
        Broke broke => run with { Fault = run.Fault ?? broke.Fault },
        Released released => run with { End = released.Held ? RunEnd.HandedBack : RunEnd.Lost },
        _ => throw new InvalidOperationException($"Unknown event {happened.GetType().Name}."),
    };

    // What the store's history leads to is what the journal has come to, as long as no execution in it waits to be stored. It
    // may know of a time or a signal that no execution tells of yet, and of what was begun because of it, which may have
    // happened: whoever goes on from it must know that, too.
    private static RunState Settled(RunState run) => run switch
    {
        { IsUnsure: true } => run with { Durable = null },
        { Journal: { Ended.IsEmpty: true, State: { Outcome: null } state } } when run.Durable != state => run with { Durable = state },
        _ => run,
    };

    private static RunState Load(RunState run, Loaded loaded)
    {
        var journal = loaded.Journal;
        run = run with { SavedExecutions = journal.State.Executions, LeftGroups = loaded.LeftGroups };
        if (journal.State.Outcome is not null)
            return run with { Journal = journal };
        if (run.IsPoisoned || run.IsNodePoisoned)
            journal = Poison(run, loaded.At, journal);
        else if (journal.State is { Root: null, Ending: null } && (run.Claim.IsTakenOver || !run.Standing.CancelRequested))
            journal = journal.Take(new Started(run.Claim.StartedAt)) is var started && run.Claim.IsTakenOver ? started.Carried(started.Commands) : started;
        run = WithChildren(run with { Journal = journal });
        return run.Claim.IsTakenOver && journal.State.NextDue <= loaded.At ? run with { IsCatchingUp = true } : GoOn(run, loaded.At);
    }

    // Children may be there that neither this worker has started nor the row tells of.
    private static RunState WithChildren(RunState run) => !run.HadChildren && (run.Claim.IsTakenOver || run.Claim.Snapshot is not null)
        ? run with { HadChildren = ActivePath.Of(run.Journal!.Workflow, run.Journal.Facts, run.Journal.State).Any(static active => active.Frame.Activity is AwaitingChildren) }
        : run;

    // What is just being started is not there yet. Before a timer that may have been taken in already, only what had completed
    // counts: children may have failed because their parent had given them up by then.
    private static bool IsNews(RunState run, InstanceEvent end) =>
        end is not NodeFailed failed || (!run.IsCatchingUp && !(failed.Failure == Turn.Unbegun && run.Running.Contains(failed.Key)));

    // What cannot be seen of children is the fault of whatever waits for them, which can be dealt with like its own.
    private static RunFault ForChildren(RunState run, NodeKey? one) => ActivePath.Of(run.Journal!.Workflow, run.Journal.Facts, run.Journal.State)
        .Where(active => active.Frame.Activity is AwaitingChildren && (one ?? active.Key) == active.Key)
        .Select(active => RunFault.Of(active.Key).After(run.FaultBefore))
        .FirstOrDefault(RunFault.OfInstance);

    // What was to begin before the takeover may have been begun by the worker before: a request finds it so. What had come in
    // time has been taken in before.
    private static RunState CatchUp(RunState run, DateTimeOffset at)
    {
        var due = run.Journal!.Take(new TimerDue(at));
        run = run with { IsCatchingUp = false, ChildrenLooked = false, Journal = due.Carried([.. due.Commands.Where(static command => command is Execute)]) };
        return GoOn(WithChildren(run), at);
    }

    private static RunState GoOn(RunState run, DateTimeOffset at)
    {
        run = Heed(run, at);
        return run with { Journal = run.Journal!.Reissue() };
    }

    // A node that could not be executed time after time fails, so that whatever is to be done about that is done. Where the
    // workers themselves were lost, it may be the history that kills them: the instance fails without a look at it.
    private static Journal Poison(RunState run, DateTimeOffset at, Journal journal)
    {
        var tries = run.Claim.Claims - 1;
        var lost = Failed($"{tries} workers in a row took this instance and were not heard of again", "worker_lost");
        if (run.IsLostCause || run.FaultBefore is not { } fault)
            return journal.End(lost);
        if (fault.Node is { } key && Machine.Outstanding(journal.Workflow, journal.Facts, journal.State).Any(command => command.Key == key))
            return journal.Take(new NodeFailed(at, key, new(fault.Said(Math.Max(tries, fault.Tries)), RunFault.Code, Retryable: false)));
        // A node that is not waited for any more, though others were getting on, is nobody's concern; the workers were lost since.
        return run.IsPoisoned ? journal.End(fault.Node is null ? Failed(fault.Said(tries), RunFault.Code) : lost) : journal;
    }

    private static RunState Observe(RunState run, DateTimeOffset at, Standing told) => Heed(run with { Standing = run.Standing.With(told) }, at);

    private static RunState Heed(RunState run, DateTimeOffset at) =>
        run is { CancelTaken: false, IsCatchingUp: false, Standing: { CancelRequested: true, CancelReason: var reason }, Journal: { } journal }
            ? run with { CancelTaken = true, Journal = journal.Take(new CancelRequested(at, reason)) }
            : run;

    private static RunState Begin(RunState run, Begun begun)
    {
        var running = run.Running;
        foreach (var command in begun.Commands)
        {
            if (command is Execute)
                running = running.Add(command.Key);
            else if (command is Abandon)
                running = running.Remove(command.Key);
        }

        // Of the first children that are being started there is nothing to see yet.
        var startsFirst = !run.HadChildren && begun.Commands.Any(static command => command is StartChildren);
        return run with
        {
            Running = running,
            HadChildren = run.HadChildren || startsFirst,
            ChildrenLooked = run.ChildrenLooked || startsFirst,
            Journal = run.Journal!.Carried(begun.Commands),
        };
    }

    private static RunState End(RunState run, ExecutionEnded ended)
    {
        if (!run.Running.Contains(ended.Key))
            return run;
        run = run with { Running = run.Running.Remove(ended.Key) };
        if (ended.Happened is { } happened)
            return run with { Journal = run.Journal!.Take(happened) };
        // All of them may have been taken over from an earlier attempt, and then no end will come: they are looked at. The
        // start itself counts as news, which is none to us, unless something else came before it.
        return run with
        {
            ChildrenLooked = false,
            ChildrenSeen = ended.ChildrenCounted == run.ChildrenSeen + 1 ? run.ChildrenSeen + 1 : run.ChildrenSeen,
        };
    }

    private static RunState Answered(RunState run, Written written)
    {
        var (checkpoint, answer) = (written.Checkpoint, written.Answer);
        if (!answer.Held)
            return run with { IsLost = true };
        switch (checkpoint)
        {
            case FinishCheckpoint:
                return run with { End = RunEnd.Finished };
            case ParkCheckpoint:
                return run with { End = run.IsStopping ? RunEnd.HandedBack : answer.Ready ? RunEnd.ParkedReady : RunEnd.Parked };
            default:
                run = run with
                {
                    IsUnsure = false,
                    HasShownLife = true,
                    SavedExecutions = checkpoint is SaveCheckpoint save ? save.State.Executions : run.SavedExecutions,
                    Journal = run.Journal!.Stored(),
                    // Whether those that were told were ever started is seen now.
                    ChildrenLooked = run.ChildrenLooked && checkpoint.UnwantedGroups.Count == 0,
                };
                return Observe(run, written.At, answer.Standing!.Value);
        }
    }

    // What the store cannot keep, it could not keep the next time either.
    private static RunState Refused(RunState run, WriteRefused refused) => run.Journal!.State.Outcome is { Error.Code: var code } && code == refused.Code
        ? run with { Fault = new($"the store does not take the instance's end: {refused.Message}") }
        : run with { IsUnsure = false, Journal = run.Journal.Dropped().End(Failed($"the store cannot keep what the instance has come to: {refused.Message}", refused.Code)) };

    private static RunState CannotGoOn(RunState run, Exception error) => run.Journal is { State.Outcome: null } journal
        ? run with { CoreError = error, Journal = journal.End(Failed("what follows could not be worked out because of an internal error; the server's log has the cause", RunFault.Code)) }
        : run with { CoreError = error, Fault = run.Fault ?? RunFault.OfInstance };

    // More than this the store could not keep in the end, and a worker could not read.
    private static Outcome? TooLarge(RunState run, long bytes) => bytes <= run.Rules.StateBytes ? null : Failed(
        $"what the instance keeps takes {bytes:N0} bytes; at most {run.Rules.StateBytes:N0} are allowed: bind fewer results, or keep the data in a table and its key here",
        "state_too_large");

    internal static Outcome Failed(string message, string code) =>
        new(InstanceStatus.Failed, null, new(message, null, null, 0, code, Retryable: false));
}
