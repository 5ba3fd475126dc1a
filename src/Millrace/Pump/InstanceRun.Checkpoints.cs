using Millrace.Execution;
using Millrace.Faults;
using Millrace.Store;

namespace Millrace.Pump;

// What the instance has come to, made durable.
internal sealed partial class InstanceRun
{
    // A worker that takes over folds no more than this many executions, and as few are kept for that in memory.
    private const int ExecutionsBetweenSaves = 1000;

    // How much an instance is weighed anew after; many results of long loops are not kept.
    private const int GrowthBetweenWeighings = 256 << 10;

    // A process that stops does not wait for ever for a store that is away: its leases run out by themselves.
    private static readonly TimeSpan HandBackLimit = TimeSpan.FromSeconds(5);

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
            hasShownLife = true;
            if (isLong)
                savedExecutions = journal.State.Executions;
            Weigh();
            journal.Stored();
            Observe(answer.Standing!.Value);
        }

        durable = journal.State;
        return true;
    }

    private void Weigh()
    {
        foreach (var execution in journal.Ended)
            grownBytes += execution.Result?.Utf8.Length ?? 0;
        if (grownBytes < GrowthBetweenWeighings)
            return;
        grownBytes = 0;
        Interlocked.Exchange(ref bytes, claim.Bytes + StateJson.Write(journal.State).Utf8.Length);
    }

    private Checkpoint Complete(Checkpoint checkpoint) => checkpoint with
    {
        Events = journal.Events(),
        ShowsLife = !hasShownLife && checkpoint is ProgressCheckpoint or SaveCheckpoint,
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
        var answer = await services.Patience.RideOutAsync(
            HandBackLimit,
            (_, _) => services.Checkpoints.StoreAsync(new ParkCheckpoint(
                claim.Lease, [], DateTimeOffset.UnixEpoch, state, WaitingOn.Nothing, children.Seen)),
            CancellationToken.None);
        return answer.Held ? RunEnd.HandedBack : RunEnd.Lost;
    }

    // A checkpoint that the store could not take is offered again for as long as the lease may still be ours: losing it
    // would mean doing again what has been done.
    private async Task<CheckpointAnswer> CheckpointAsync(Checkpoint checkpoint)
    {
        try
        {
            // Once in any case: what has been done already should not be done again because the process stops.
            return await OfferAsync(checkpoint);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            return await services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, _) => OfferAsync(checkpoint), interrupt.Token);
        }
    }

    private async Task<CheckpointAnswer> OfferAsync(Checkpoint checkpoint)
    {
        FaultPoint.Pass(FaultPoint.CheckpointStoring);
        CheckpointAnswer answer;
        try
        {
            answer = await services.Checkpoints.StoreAsync(checkpoint);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            // It may have been stored all the same, so only the history knows from here on, not this run.
            durable = null;
            services.Database.Suspect(e);
            throw;
        }

        FaultPoint.Pass(FaultPoint.CheckpointStored);
        if (!answer.Held)
            services.Log.CheckpointRefused(claim.Id);
        return answer;
    }
}
