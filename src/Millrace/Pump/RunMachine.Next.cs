using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Pump;

// What a run does next, by how it stands.
internal static partial class RunMachine
{
    /// <summary>The next step.</summary>
    /// <param name="run">How the run stands.</param>
    /// <param name="now">The store's time.</param>
    public static RunStep Next(RunState run, DateTimeOffset now)
    {
        if (run.End is { } end)
            return new Leave(end);
        if (run.IsLost)
            return new Leave(RunEnd.Lost);
        if (run.Fault is { } fault)
            return GiveBack(run, fault);
        if (run is { IsUnsure: false, Journal: { State.Outcome: { } outcome } over })
            return new Write(Finish(run, over, outcome), IsLast: true);
        if (run.IsStopping)
            return HandBack(run);
        if (run.Journal is not { } journal)
            return run.IsLostCause ? new Load(WithHistory: false, WithLeftGroups: true) : new Load(run.Claim.IsTakenOver);
        // What has been done elsewhere is cheaper looked at now than after a park.
        if (run.LookWanted)
            return new Look();
        // How children have ended may be because it is cancelled, and not the other way round.
        if (run.IsCatchingUp)
            return (run.Standing.CancelRequested ? null : News(run, journal)) ?? new Tick();
        if (run.IsIdle && !MustHold(run, now))
            return Park(run, journal);
        if (journal.HasToTell)
            return Progress(run, journal);
        if (Due(run, journal) is { IsEmpty: false } commands)
            return new Begin(commands);
        if (run.Standing.Suspended)
            return new Wait(null);
        if (News(run, journal) is { } read)
            return read;
        return journal.State.NextDue <= now ? new Tick() : new Wait(journal.State.NextDue);
    }

    // What has come, and has not been looked at.
    private static RunStep? News(RunState run, Journal journal) =>
        run.Standing.Signals > journal.State.Mailbox.Seen ? new ReadSignals(journal.State.Mailbox.Seen)
        : run.HasNewsOfChildren ? new ReadChildren(journal, run.Standing.ChildEnds)
        : null;

    // A short wait is cheaper sat out than parked, and what has come is taken in before parking. Whether children that are told
    // to end were ever started is seen after that.
    private static bool MustHold(RunState run, DateTimeOffset now) => !run.Standing.Suspended
        && (run.Journal!.Commands.Any(static command => command is CancelChildren)
            || run.Standing.Signals > run.Journal.State.Mailbox.Seen
            || run.HasNewsOfChildren
            || run.Journal.State.NextDue - now <= run.Rules.HoldWait);

    // While the instance is suspended nothing begins; it is begun when the instance goes on.
    private static ImmutableArray<Command> Due(RunState run, Journal journal) => run.Standing.Suspended
        ? [.. journal.Commands.Where(static command => command is not Execute)]
        : journal.Commands;

    private static RunStep Park(RunState run, Journal journal)
    {
        var waitingOn = WaitingOn.Describe(journal.Workflow, journal.Facts, journal.State);
        var isSuspended = run.Standing.Suspended;
        if (!isSuspended && journal.State.NextDue is null && waitingOn.Utf8.Length <= WaitingOn.Nothing.Utf8.Length)
            return new Release(new("the instance would wait for nothing, because of an internal error"), RunFault.PauseAfter(run.Claim.Claims));
        // Where it is suspended no more by then, whatever it was about to do is due.
        var due = isSuspended ? DateTimeOffset.UnixEpoch : journal.State.NextDue;
        var park = new ParkCheckpoint(run.Claim.Lease, journal.Ended, due, journal.State, waitingOn, Seen(run));
        return Outgrown(run, journal, park.Snapshot) ?? new Write(Complete(run, journal, park), IsLast: true);
    }

    // A park that is due at once: whoever takes over needs no history, and begins again what was being executed. What has
    // been done already is kept first.
    private static RunStep HandBack(RunState run) => run switch
    {
        { IsUnsure: false, Journal: { HasToTell: true } journal } => Progress(run, journal),
        { IsCatchingUp: false, Durable: { } durable } => new Write(new ParkCheckpoint(run.Claim.Lease, [], DateTimeOffset.UnixEpoch, durable, WaitingOn.Nothing, Seen(run)), IsLast: true),
        _ => new Release(null, TimeSpan.Zero),
    };

    private static RunStep GiveBack(RunState run, RunFault fault) => run is { IsUnsure: false, Journal: { Ended.IsEmpty: false, State.Outcome: null } journal }
        ? Progress(run, journal)
        : new Release(fault, RunFault.PauseAfter(Math.Max(fault.Tries, run.HasShownLife ? 1 : run.Claim.Claims)));

    private static Standing Seen(RunState run) => run.Standing with { ChildEnds = run.ChildrenSeen };

    private static Write Progress(RunState run, Journal journal)
    {
        if (journal.State.Executions - run.SavedExecutions < run.Rules.ExecutionsBetweenSaves)
            return new(Complete(run, journal, new ProgressCheckpoint(run.Claim.Lease, journal.Ended)), IsLast: false);
        var save = new SaveCheckpoint(run.Claim.Lease, journal.Ended, journal.State);
        return Outgrown(run, journal, save.Snapshot) ?? new(Complete(run, journal, save), IsLast: false);
    }

    // An instance whose state cannot be kept ends here.
    private static Write? Outgrown(RunState run, Journal journal, Json snapshot) => TooLarge(run, snapshot.Utf8.Length) is { } outcome
        ? new(Finish(run, journal.End(outcome), outcome), IsLast: true)
        : null;

    private static Checkpoint Finish(RunState run, Journal journal, Outcome outcome)
    {
        // What could not be kept while the instance lived cannot be gone on from either.
        var resume = journal.Resume is { } state && StateJson.Write(state) is var kept && TooLarge(run, kept.Utf8.Length) is null ? kept : null;
        return Complete(run, journal, new FinishCheckpoint(run.Claim.Lease, journal.Ended, outcome)
        {
            Resume = resume,
            ResumeSeen = resume is null ? null : journal.Resume!.Mailbox.Seen,
            HadSignals = run.Standing.Signals > 0,
            HadChildren = run.HadChildren,
        });
    }

    private static Checkpoint Complete(RunState run, Journal journal, Checkpoint checkpoint) => checkpoint with
    {
        Events = journal.Events(),
        ShowsLife = !run.HasShownLife && checkpoint is ProgressCheckpoint or SaveCheckpoint,
        UnwantedGroups = [.. journal.Commands.OfType<CancelChildren>().Select(command => ChildStore.GroupOf(run.Claim.Id, command.Key)).Union(checkpoint is FinishCheckpoint ? run.LeftGroups : [])],
    };
}
