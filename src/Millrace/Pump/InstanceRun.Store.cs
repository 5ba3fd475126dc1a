using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Faults;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Pump;

// What a run reads from the store before it begins, and what it writes there.
internal sealed partial class InstanceRun
{
    // After how much growth a state is weighed anew, and after which part of itself, so that the weighing of a large one
    // costs no more than its growth did. Most results of a long loop are not kept.
    private const int GrowthBetweenWeighings = 256 << 10;
    private const int PartBetweenWeighings = 8;

    // A process that stops does not wait for ever for a store that is away: its leases run out by themselves.
    private static readonly TimeSpan LetGoLimit = TimeSpan.FromSeconds(5);

    private async Task<RunEvent> LoadAsync(Load load)
    {
        Workflow workflow;
        try
        {
            workflow = await InsistAsync(cancel => services.Workflows.LoadAsync(claim.Organisation, claim.DefinitionHash, cancel));
        }
        catch (DefinitionException e) when (state.IsPoisoned)
        {
            // While versions change, another process may be able to, and undo what there is to undo; in the end it ends without.
            var message = $"{e.Message}; what it has done was not undone";
            var over = state.Standing.CancelRequested
                ? new Outcome(InstanceStatus.Cancelled, null, new($"{state.Standing.CancelReason ?? "cancelled"}; {message}", null, null, 0, Turn.CancelledCode))
                : RunMachine.Failed(message, "definition");
            return await OverAsync(new(null, [], Json.FromText("{}")), new(claim.Id, claim.Label, claim.Workflow, claim.Input ?? Json.Null, claim.Variables), over);
        }

        var own = new InstanceFacts(claim.Id, claim.Label, claim.Workflow, claim.Input ?? Json.Null, claim.Variables)
        {
            Entry = claim.Entry,
            ResultBytes = services.Limits.ResultBytes,
            Compensations = services.Limits.Compensations,
            CompensationBytes = services.Limits.CompensationBytes,
        };
        if (await FactsAsync(own, workflow) is not { } facts)
            return await OverAsync(workflow, own, new(InstanceStatus.Cancelled, null, new("the instance that had started it has ended", null, null, 0, Turn.CancelledCode)));

        try
        {
            var snapshot = claim.Snapshot is null ? InstanceState.Initial : StateJson.Read(claim.Snapshot);
            grownBytes = load.WithHistory ? services.Limits.StateBytes : 0;
            var reached = load.WithHistory
                ? await InsistAsync(cancel => services.Rebuilder.RebuildAsync(workflow, facts, claim.Organisation, snapshot, claim.StartedAt, cancel))
                : snapshot;
            return new Loaded(services.Clock.Now, new(workflow, facts, reached))
            {
                LeftGroups = load.WithLeftGroups ? await LeftGroupsAsync() : [],
            };
        }
        catch (Exception e) when (e is not (OperationCanceledException or NpgsqlException or OutOfMemoryException) && !StoreFaults.IsPassing(e))
        {
            // Where somebody else has taken the instance over meanwhile, what was read is of two times.
            if (await IsTakenAwayAsync())
                return new LeaseLost();
            // What is stored will be the same the next time; what the store says may not.
            services.Log.RunBroke(claim.Id, e);
            return await OverAsync(workflow, facts, RunMachine.Failed("the stored state of the instance could not be read; the server's log has the cause", RunFault.Code));
        }
    }

    private async Task<bool> IsTakenAwayAsync() => await InsistAsync(cancel => services.Claims.StandingAsync(claim.Lease, cancel)) is null;

    // Children are told, though nobody can say where the instance stands.
    private async Task<Loaded> OverAsync(Workflow workflow, InstanceFacts facts, Outcome outcome) =>
        new(services.Clock.Now, new Journal(workflow, facts, InstanceState.Initial).End(outcome)) { LeftGroups = await LeftGroupsAsync() };

    private async Task<ImmutableArray<Guid>> LeftGroupsAsync() => [.. await InsistAsync(cancel => services.Children.LeftGroupsAsync(claim.Id, cancel))];

    private async Task<InstanceFacts?> FactsAsync(InstanceFacts own, Workflow workflow) => claim is { Entry: not null, Membership: { } membership }
        ? await InsistAsync(cancel => services.Items.CompleteAsync(own, membership, workflow, cancel))
        : own;

    // What a run needs before it can begin is asked for until it is there; giving up would cost the rest of the lease.
    private Task<T> InsistAsync<T>(Func<CancellationToken, Task<T>> ask) =>
        services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, cancel) => ask(cancel), interrupt.Token);

    // What does not fit into a page is read after the next checkpoint.
    private async Task<RunEvent> ReadSignalsAsync(long after)
    {
        var page = await services.Signals.AfterAsync(claim.Id, after, interrupt.Token);
        grownBytes += page.Items.Sum(signal => (long)signal.Data.Utf8.Length);
        return new SignalsRead(services.Clock.Now, page.Items);
    }

    private async Task<RunEvent> WriteAsync(Write write)
    {
        if (write.IsLast)
        {
            await nodes.StopAllAsync();
            IsLettingGo = true;
        }

        // Children that are being started right now could not be told that nobody waits for them any more.
        foreach (var command in state.Journal?.Commands.OfType<CancelChildren>() ?? [])
            await nodes.SettledAsync(command.Key);

        var checkpoint = write.Checkpoint;
        try
        {
            var answer = await CheckpointAsync(checkpoint);
            if (!answer.Held)
                services.Log.CheckpointRefused(claim.Id);
            else if (checkpoint is FinishCheckpoint)
                services.Outcomes.Announce(claim.Id);
            return new Written(services.Clock.Now, checkpoint, answer);
        }
        catch (PostgresException e) when (IsAboutTheData(e))
        {
            services.Log.RunBroke(claim.Id, e);
            return new WriteRefused(e.SqlState, e.MessageText);
        }
    }

    // A checkpoint that the store could not take is offered again for as long as the lease may still be ours: losing it
    // would mean doing again what has been done. A process that stops has little time for it.
    private async Task<CheckpointAnswer> CheckpointAsync(Checkpoint checkpoint)
    {
        try
        {
            // Once in any case: what has been done already should not be done again because the process stops.
            return await OfferAsync(checkpoint);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            return state.IsStopping
                ? await services.Patience.RideOutAsync(LetGoLimit, (_, _) => OfferAsync(checkpoint), CancellationToken.None)
                : await services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, _) => OfferAsync(checkpoint), interrupt.Token);
        }
    }

    private async Task<CheckpointAnswer> OfferAsync(Checkpoint checkpoint)
    {
        FaultPoint.Pass(FaultPoint.CheckpointStoring);
        try
        {
            var answer = await services.Checkpoints.StoreAsync(checkpoint);
            FaultPoint.Pass(FaultPoint.CheckpointStored);
            return answer;
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            // It may have been stored all the same, so only the history knows from here on, not this run.
            Apply(new WriteUnsure());
            services.Database.Suspect(e);
            throw;
        }
    }

    private async Task<RunEvent> ReleaseAsync(Release release)
    {
        await nodes.StopAllAsync();
        IsLettingGo = true;
        return new Released(await services.Patience.RideOutAsync(
            LetGoLimit, (_, _) => services.Claims.ReleaseAsync(Key, release.Pause, release.Fault?.Write()), CancellationToken.None));
    }

    private void Weigh(Checkpoint checkpoint)
    {
        foreach (var execution in checkpoint.Ended)
            grownBytes += execution.Result?.Utf8.Length ?? 0;
        if (grownBytes < Math.Max(GrowthBetweenWeighings, stateBytes / PartBetweenWeighings))
            return;
        grownBytes = 0;
        stateBytes = StateJson.Write(state.Journal!.State).Utf8.Length;
        Interlocked.Exchange(ref bytes, claim.Bytes + stateBytes);
        Apply(new Weighed(stateBytes));
    }

    // Classes 22 and 54: a value that no column takes, or that is larger than any may be.
    private static bool IsAboutTheData(PostgresException e) =>
        e.SqlState.StartsWith("22", StringComparison.Ordinal) || e.SqlState.StartsWith("54", StringComparison.Ordinal);
}
