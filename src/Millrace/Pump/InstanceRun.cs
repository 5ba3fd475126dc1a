using System.Diagnostics.CodeAnalysis;
using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>
/// One instance in this process, from its claim until it ends, parks or is let go. Events go into the machine one at a
/// time; what ended is made durable before anything that follows is begun.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever interrupts or nudges a run may be a moment later than its end; the sources hold nothing but memory.")]
internal sealed partial class InstanceRun
{
    private readonly ClaimedInstance claim;
    private readonly RunServices services;
    private readonly RunningNodes nodes;
    private readonly RunChildren children;
    private readonly CancellationTokenSource interrupt = new();
    private readonly Pulse pulse = new();
    private readonly Lock gate = new();
    private readonly NodeContext context;

    private Workflow workflow = null!;
    private InstanceFacts facts = null!;
    private Journal journal = null!;
    private Standing standing;
    private InstanceState? durable;
    private int savedExecutions;
    private long renewedAt;
    private bool hasShownLife;
    private long grownBytes;
    private long bytes;
    private bool cancelTaken;
    private bool held;
    private volatile bool nudged;
    private volatile bool lost;

    /// <param name="claim">What was claimed.</param>
    /// <param name="claimedAt">When the claim was sent: its lease cannot have begun earlier.</param>
    /// <param name="services">What it works with.</param>
    public InstanceRun(ClaimedInstance claim, long claimedAt, RunServices services)
    {
        (this.claim, this.services, standing) = (claim, services, claim.Standing);
        context = new(claim.Id, claim.Organisation, MayRepeat: claim.Claims > 1 || claim.Snapshot is not null);
        renewedAt = claimedAt;
        hasShownLife = claim.Claims == 1;
        bytes = claim.Bytes;
        children = new(claim, services);
        nodes = new(ExecuteAsync, services.Clock, pulse.Set);
    }

    public Guid Id => claim.Id;

    /// <summary>About how much memory the instance takes.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    public long LeaseToken => claim.LeaseToken;

    /// <summary>Whether the run has asked the store to let go of its instance, so that a missing lease proves nothing.</summary>
    public bool LettingGo { get; private set; }

    /// <summary>The lease was renewed, by a request that was sent at a time.</summary>
    public void Renewed(long sentAt) => Interlocked.Exchange(ref renewedAt, sentAt);

    /// <summary>Whether the lease has run out, as far as this process can know.</summary>
    public bool IsOverdue => services.Time.GetElapsedTime(Interlocked.Read(ref renewedAt)) >= services.Settings.Lease;

    /// <summary>The lease is gone: stop without writing anything.</summary>
    public void LoseLease()
    {
        lost = true;
        interrupt.Cancel();
        pulse.Set();
    }

    /// <summary>The process stops: give up what is being executed.</summary>
    public void Interrupt()
    {
        interrupt.Cancel();
        pulse.Set();
    }

    /// <summary>Something has been asked of the instance, as its row tells.</summary>
    public void Observe(Standing told)
    {
        lock (gate)
        {
            // Answers may overtake each other; what only grows tells which is the newer one.
            if (told.Signals < standing.Signals || told.ChildEnds < standing.ChildEnds || told == standing)
                return;
            standing = told with { CancelRequested = told.CancelRequested || standing.CancelRequested, CancelReason = told.CancelReason ?? standing.CancelReason };
        }

        pulse.Set();
    }

    public async Task<RunEnd> RunAsync()
    {
        services.Relay.Register(claim.Id, Nudge);
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
            services.Relay.Unregister(claim.Id);
            await nodes.StopAllAsync();
        }
    }

    private Standing Now()
    {
        lock (gate)
            return standing;
    }

    private void Nudge()
    {
        nudged = true;
        pulse.Set();
    }

    private async Task<RunEnd> GoAsync()
    {
        workflow = await InsistAsync(cancel => services.Workflows.LoadAsync(claim.Organisation, claim.DefinitionHash, cancel));
        if (await InsistAsync(_ => FactsAsync()) is not { } found)
            return await FinishAsync(new(InstanceStatus.Cancelled, null, new("the instance that had started it has ended", null, null, 0, Turn.CancelledCode)));
        facts = found;
        await BeginAsync();
        while (true)
        {
            if (journal.State.Outcome is { } outcome)
                return await FinishAsync(outcome);
            if (IsIdle() && !MustHold())
                return await ParkAsync();
            if (!await StoreAsync())
                return RunEnd.Lost;
            Carry();
            await TakeEventsAsync();
        }
    }

    // What a run needs before it can begin is asked for until it is there; giving up would cost the rest of the lease.
    private Task<T> InsistAsync<T>(Func<CancellationToken, Task<T>> ask) =>
        services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, cancel) => ask(cancel), interrupt.Token);

    private async Task<InstanceFacts?> FactsAsync()
    {
        var own = new InstanceFacts(claim.Id, claim.Label, claim.Workflow, claim.Input ?? Json.Null, claim.Variables)
        {
            Entry = claim.Entry,
            ResultBytes = services.Limits.ResultBytes,
        };
        return claim is { Entry: not null, Membership: { } membership }
            ? await services.Items.CompleteAsync(own, membership, workflow, interrupt.Token)
            : own;
    }

    // A first claim has no history to fold. Any other one may follow a worker that died between two checkpoints.
    private async Task BeginAsync()
    {
        var state = claim.Snapshot is null ? InstanceState.Initial : StateJson.Read(claim.Snapshot);
        if (claim.Claims > services.Settings.MaxTakeovers)
        {
            // What killed them may be the history itself, so it is not looked at.
            journal = new(workflow, facts, state);
            journal.End(Poisoned());
            return;
        }

        savedExecutions = state.Executions;
        if (claim.Claims > 1)
        {
            var history = await InsistAsync(cancel => services.Instances.HistoryAsync(claim.Organisation, claim.Id, state.Executions, int.MaxValue, cancel));
            var signals = await InsistAsync(cancel => services.Signals.AfterAsync(claim.Id, state.Mailbox.Seen, cancel));
            state = Replay.Fold(workflow, facts, state, claim.StartedAt, [.. history.Select(view => view.Line)], signals);
        }

        journal = new(workflow, facts, state);
        if (TakeCancel())
            return;
        if (state is { Root: null, Ending: null, Outcome: null })
            journal.Take(new Started(claim.StartedAt));
        else
            journal.Reissue(_ => false);
    }

    private Outcome Poisoned() => new(InstanceStatus.Failed, null, new(
        $"{claim.Claims - 1} workers in a row took this instance and were not heard of again", null, null, 0, "worker_lost", Retryable: false));

    private bool IsSuspended => Now().Suspended;

    private bool IsIdle() => !nodes.Any && (IsSuspended || !journal.Commands.OfType<Execute>().Any());

    // A short wait is cheaper sat out than parked, and what has come is taken in before parking.
    private bool MustHold()
    {
        interrupt.Token.ThrowIfCancellationRequested();
        var now = Now();
        if (now.CancelRequested && !cancelTaken)
            return true;
        if (now.Suspended)
            return false;
        return now.Signals > journal.State.Mailbox.Seen
            || children.HasNews(now)
            || (journal.State.NextDue is { } due && due - services.Clock.Now <= services.Settings.HoldWait);
    }

    // While the instance is suspended nothing begins; what should have is found again in the state when it goes on.
    private void Carry()
    {
        if (IsSuspended)
        {
            held = true;
        }
        else if (held)
        {
            held = false;
            journal.Reissue(key => nodes.Has(key) || journal.Commands.Any(command => command.Key == key));
        }

        foreach (var command in journal.TakeCommands().Where(command => !held || command is not Execute))
            nodes.Carry(command, interrupt.Token);
    }

    private async Task<NodeEnd?> ExecuteAsync(Execute command, CancellationToken cancel)
    {
        // A process that was stopped for a while, and finds out only now, must not do what somebody else has done.
        if (IsOverdue)
        {
            LoseLease();
            cancel.ThrowIfCancellationRequested();
        }

        return command is StartChildren start
            ? await children.StartAsync(facts, start, cancel)
            : await services.Nodes.ExecuteAsync(command.Key.Attempt > 1 ? context with { MayRepeat = true } : context, command, cancel);
    }
}
