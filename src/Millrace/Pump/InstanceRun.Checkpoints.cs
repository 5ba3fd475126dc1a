using Millrace.Execution;
using Millrace.Store;

namespace Millrace.Pump;

// What the instance has come to, made durable.
internal sealed partial class InstanceRun
{
    // A worker that takes over folds no more than this many executions, and as few are kept for that in memory.
    private const int ExecutionsBetweenSaves = 1000;

    private async Task<bool> StoreAsync()
    {
        if (journal.Ended.Count > 0)
        {
            var isLong = journal.State.Executions - savedExecutions >= ExecutionsBetweenSaves;
            Checkpoint checkpoint = isLong
                ? new SaveCheckpoint(claim.Lease, journal.Ended, journal.State)
                : new ProgressCheckpoint(claim.Lease, journal.Ended);
            var answer = await CheckpointAsync(Complete(checkpoint));
            if (!answer.Held)
                return false;
            if (isLong)
                savedExecutions = journal.State.Executions;
            journal.Stored();
            Observe(answer.Standing!.Value);
        }

        durable = journal.State;
        return true;
    }

    private Checkpoint Complete(Checkpoint checkpoint) => checkpoint with
    {
        Events = journal.Events(),
        UnwantedGroups = [.. journal.Commands.OfType<CancelChildren>().Select(command => ChildStore.GroupOf(claim.Id, command.Key))],
    };

    private async Task<RunEnd> FinishAsync(Outcome outcome)
    {
        await nodes.StopAllAsync();
        LettingGo = true;
        var now = Now();
        var checkpoint = new FinishCheckpoint(claim.Lease, journal?.Ended ?? [], outcome)
        {
            Resume = journal?.Resume is { } resume ? StateJson.Write(resume) : null,
            HadSignals = now.Signals > 0,
            HadChildren = children.HadAny,
        };
        var answer = await CheckpointAsync(journal is null ? checkpoint : Complete(checkpoint));
        if (!answer.Held)
            return RunEnd.Lost;
        services.Outcomes.Announce(claim.Id);
        return RunEnd.Finished;
    }

    private async Task<RunEnd> ParkAsync()
    {
        var waitingOn = WaitingOn.Describe(workflow, facts, journal.State);
        LettingGo = true;
        var answer = await CheckpointAsync(Complete(new ParkCheckpoint(
            claim.Lease, journal.Ended, journal.State.NextDue, journal.State, waitingOn, children.Seen)));
        return (answer.Held, answer.Ready) switch
        {
            (false, _) => RunEnd.Lost,
            (true, true) => RunEnd.ParkedReady,
            _ => RunEnd.Parked,
        };
    }

    // A park that is due at once: whoever takes over needs no history, and begins again what was being executed.
    private async Task<RunEnd> HandBackAsync(InstanceState state)
    {
        LettingGo = true;
        var answer = await services.Checkpoints.StoreAsync(new ParkCheckpoint(
            claim.Lease, [], DateTimeOffset.UnixEpoch, state, WaitingOn.Nothing, children.Seen));
        return answer.Held ? RunEnd.HandedBack : RunEnd.Lost;
    }

    // A checkpoint that the store could not take is offered again for as long as the lease may still be ours: losing it
    // would mean doing again what has been done.
    private async Task<CheckpointAnswer> CheckpointAsync(Checkpoint checkpoint)
    {
        var pause = TimeSpan.FromMilliseconds(50);
        while (!lost)
        {
            try
            {
                return await services.Checkpoints.StoreAsync(checkpoint);
            }
            catch (Exception e) when (StoreFaults.IsPassing(e))
            {
                // It may have been stored all the same, so only the history knows from here on, not this run.
                durable = null;
                interrupt.Token.ThrowIfCancellationRequested();
                await Task.Delay(pause, services.Time);
                pause = TimeSpan.FromMilliseconds(Math.Min(pause.TotalMilliseconds * 2, 2000));
            }
        }

        return new(Held: false);
    }
}
