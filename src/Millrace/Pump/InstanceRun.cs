using System.Diagnostics.CodeAnalysis;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>
/// One instance in this process, from its claim until it ends, parks or is let go. Events go into the machine one at a
/// time; what ended is made durable before anything that follows is begun.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever interrupts a run may be a moment later than its end; the source holds nothing but memory.")]
internal sealed class InstanceRun(ClaimedInstance claim, RunServices services)
{
    private readonly RunningNodes nodes = new(claim.Id, services.Nodes, services.Clock);

    private readonly CancellationTokenSource interrupt = new();
    private readonly TaskCompletionSource nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private InstanceState? durable;
    private volatile bool lost;
    private volatile bool cancelRequested = claim.CancelRequested;
    private string? cancelReason = claim.CancelReason;

    public Guid Id => claim.Id;

    public long LeaseToken => claim.LeaseToken;

    /// <summary>Whether the run has asked the store to let go of its instance, so that a missing lease proves nothing.</summary>
    public bool LettingGo { get; private set; }

    /// <summary>The lease is gone: stop without writing anything.</summary>
    public void LoseLease()
    {
        lost = true;
        interrupt.Cancel();
    }

    /// <summary>The process stops: give up what is being executed.</summary>
    public void Interrupt() => interrupt.Cancel();

    /// <summary>Somebody asks for the instance to be cancelled.</summary>
    public void RequestCancel(string? reason)
    {
        if (cancelRequested)
            return;
        cancelReason = reason;
        cancelRequested = true;
        nudge.TrySetResult();
    }

    public async Task<RunEnd> RunAsync()
    {
        services.Cancels.Register(claim.Id, RequestCancel);
        try
        {
            return await GoAsync();
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            await nodes.StopAllAsync();
            return lost || durable is null ? RunEnd.Lost : await HandBackAsync(durable);
        }
        finally
        {
            services.Cancels.Unregister(claim.Id);
            await nodes.StopAllAsync();
        }
    }

    private async Task<RunEnd> GoAsync()
    {
        var workflow = await services.Workflows.LoadAsync(claim.Organisation, claim.DefinitionHash, interrupt.Token);
        var facts = new InstanceFacts(claim.Id, claim.Label, claim.Workflow, claim.Input ?? Json.Null, claim.Variables);
        var decision = await BeginAsync(workflow, facts);
        while (true)
        {
            if (decision.State.Outcome is { } outcome)
                return await FinishAsync(outcome, decision.Ended);
            if (IsIdle(decision) && !MustHold(decision.State))
                return await ParkAsync(workflow, decision);
            if (decision.Ended.Count > 0 && !await StoreAsync(decision.Ended))
                return RunEnd.Lost;
            durable = decision.State;
            foreach (var command in decision.Commands)
                nodes.Carry(command, interrupt.Token);
            decision = Machine.Decide(workflow, facts, decision.State, await NextEventAsync(decision.State));
        }
    }

    // A first claim has no history to fold. Any other one may follow a worker that died between two checkpoints.
    private async Task<Decision> BeginAsync(Workflow workflow, InstanceFacts facts)
    {
        var state = claim.Snapshot is null ? InstanceState.Initial : StateJson.Read(claim.Snapshot);
        if (claim.Claims > services.Settings.MaxTakeovers)
            return Poisoned(state);
        if (claim.Claims > 1)
        {
            var history = await services.Instances.HistoryAsync(claim.Organisation, claim.Id, state.Executions, int.MaxValue, interrupt.Token);
            state = Replay.Fold(workflow, facts, state, claim.StartedAt, history.Select(view => view.Execution));
        }

        if (state.Root is null && state.Outcome is null && !cancelRequested)
            return Machine.Decide(workflow, facts, state, new Started(claim.StartedAt));
        if (cancelRequested)
            return Machine.Decide(workflow, facts, state, new CancelRequested(services.Clock.Now, cancelReason));
        return new(state, Machine.Outstanding(workflow, facts, state), []);
    }

    private Decision Poisoned(InstanceState state)
    {
        var error = new NodeError(
            $"{claim.Claims - 1} workers in a row took this instance and were not heard of again", null, null, 0, "worker_lost", Retryable: false);
        return new(state with { Root = null, Outcome = new(InstanceStatus.Failed, null, error) }, [], []);
    }

    private bool IsIdle(Decision decision) => !nodes.Any && !decision.Commands.OfType<Execute>().Any();

    // A short wait is cheaper sat out than parked, and a request to cancel is taken in before parking.
    private bool MustHold(InstanceState state) =>
        cancelRequested || (state.NextDue is { } due && due - services.Clock.Now <= services.Settings.HoldWait);

    private async Task<RunEnd> FinishAsync(Outcome outcome, IReadOnlyList<NodeExecution> ended)
    {
        await nodes.StopAllAsync();
        LettingGo = true;
        var answer = await CheckpointAsync(new FinishCheckpoint(claim.Lease, ended, outcome));
        if (!answer.Held)
            return RunEnd.Lost;
        services.Outcomes.Announce(claim.Id);
        return RunEnd.Finished;
    }

    private async Task<RunEnd> ParkAsync(Workflow workflow, Decision decision)
    {
        var waitingOn = WaitingOn.Describe(workflow, decision.State);
        LettingGo = true;
        var answer = await CheckpointAsync(new ParkCheckpoint(
            claim.Lease, decision.Ended, decision.State.NextDue, StateJson.Write(decision.State), waitingOn));
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
            claim.Lease, [], DateTimeOffset.UnixEpoch, StateJson.Write(state), Json.FromText("[]")));
        return answer.Held ? RunEnd.HandedBack : RunEnd.Lost;
    }

    private async Task<bool> StoreAsync(IReadOnlyList<NodeExecution> ended)
    {
        var answer = await CheckpointAsync(new ProgressCheckpoint(claim.Lease, ended));
        if (answer.CancelRequested)
            RequestCancel(answer.CancelReason);
        return answer.Held;
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

    private async Task<InstanceEvent> NextEventAsync(InstanceState state)
    {
        if (cancelRequested)
            return new CancelRequested(services.Clock.Now, cancelReason);

        using var stopTimer = CancellationTokenSource.CreateLinkedTokenSource(interrupt.Token);
        List<Task> waits = [nudge.Task, .. nodes.Ends];
        if (state.NextDue is { } due)
            waits.Add(Task.Delay(Max(due - services.Clock.Now, TimeSpan.Zero), services.Time, stopTimer.Token));
        else if (!nodes.Any)
            waits.Add(Task.Delay(Timeout.InfiniteTimeSpan, stopTimer.Token));

        var first = await Task.WhenAny(waits);
        await stopTimer.CancelAsync();

        // What has ended is taken in even while the process stops, or it would be done again elsewhere.
        if (first is Task<InstanceEvent> { IsCompletedSuccessfully: true } ended && !lost)
            return nodes.Take(await ended);
        interrupt.Token.ThrowIfCancellationRequested();
        return first == nudge.Task
            ? new CancelRequested(services.Clock.Now, cancelReason)
            : first is Task<InstanceEvent> broken ? await broken : new TimerDue(Later(services.Clock.Now, state.NextDue!.Value));
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    // A timer of the platform may fire a moment early; what it stands for is due all the same.
    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
}
