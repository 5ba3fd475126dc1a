using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Millrace.Execution;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// One lease of an instance in this process, from its claim until the instance ends, parks or is let go. What is done is
/// decided by <see cref="RunMachine"/>; this carries it out, and takes in what happens meanwhile, one thing at a time.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever interrupts or nudges a run may be a moment later than its end; the sources hold nothing but memory.")]
internal sealed partial class InstanceRun
{
    // How long to wait before a question is asked again that the store did not answer.
    private static readonly TimeSpan BetweenQuestions = TimeSpan.FromMilliseconds(200);

    private readonly ClaimedInstance claim;
    private readonly RunServices services;
    private readonly Func<CancellationToken, Task> catchUp;
    private readonly RunningNodes nodes;
    private readonly RunChildren children;
    private readonly NodeContext context;
    private readonly CancellationTokenSource interrupt = new();
    private readonly ConcurrentQueue<RunEvent> inbox = new();
    private readonly Pulse pulse = new();
    private RunState state;
    private IDisposable? place;
    private long renewedTimestamp;
    private long renewedStoreTicks;
    private long bytes;
    private long grownBytes;
    private long stateBytes;

    /// <param name="claim">What was claimed.</param>
    /// <param name="claimedAt">When the claim was sent: its lease cannot have begun earlier.</param>
    /// <param name="services">What it works with.</param>
    /// <param name="catchUp">Asks the store whether this process's leases still hold, where it was silent for too long.</param>
    public InstanceRun(ClaimedInstance claim, LeaseTime claimedAt, RunServices services, Func<CancellationToken, Task> catchUp)
    {
        (this.claim, this.services, this.catchUp) = (claim, services, catchUp);
        state = RunState.Of(claim, new(services.Settings.MaxTakeovers, services.Settings.HoldWait, StateBytes: services.Limits.StateBytes));
        context = new(claim.Id, claim.Organisation, MayRepeat: claim.IsTakenOver || claim.Snapshot is not null);
        (RenewedAt, bytes, HasBegun) = (claimedAt, claim.Bytes, !claim.IsTakenOver);
        children = new(claim, services);
        nodes = new(ExecuteAsync, services.Clock, pulse.Set, (key, error) => services.Log.NodeBroke(claim.Id, key.Path, error));
    }

    public LeaseKey Key => claim.Lease.Key;

    /// <summary>About how much memory the instance takes.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>Whether the run has asked the store to let go of its instance, so that a missing lease proves nothing.</summary>
    public bool IsLettingGo { get; private set; }

    /// <summary>Whether it counts against the instance if this worker is lost.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether it ends because too many workers were lost with it.</summary>
    public bool IsLostCause => state.IsLostCause;

    /// <summary>When the lease was last asked for, or its renewal: it holds for as long from then on.</summary>
    public LeaseTime RenewedAt
    {
        get => new(Interlocked.Read(ref renewedTimestamp), new(Interlocked.Read(ref renewedStoreTicks), TimeSpan.Zero));
        private set
        {
            Interlocked.Exchange(ref renewedTimestamp, value.Timestamp);
            Interlocked.Exchange(ref renewedStoreTicks, value.StoreTime.UtcTicks);
        }
    }

    /// <summary>Whether the lease has run out, as far as this process can know.</summary>
    public bool IsOverdue => services.Clock.AgeOf(RenewedAt) >= services.Settings.Lease;

    /// <summary>Whether the lease is known to be gone: taken away, or let go of.</summary>
    public bool IsGone { get; set; }

    /// <summary>The lease was renewed.</summary>
    /// <param name="at">When that was asked for.</param>
    /// <param name="standing">What the row said.</param>
    public void Renewed(LeaseTime at, Standing standing)
    {
        RenewedAt = at;
        Post(new Told(services.Clock.Now, standing));
    }

    // Cancelling runs what others have registered, on the thread that does it: drivers that ask a server, handlers of the
    // application. Whoever keeps leases or hands back must not wait for them, nor get their exceptions; so here and
    // everywhere they run beside.
    /// <summary>The lease is gone: stop without writing anything.</summary>
    public void LoseLease()
    {
        IsGone = true;
        Post(new LeaseLost());
        _ = interrupt.CancelAsync();
    }

    /// <summary>The process stops: give up what is being executed.</summary>
    public void Interrupt()
    {
        Post(new Interrupted());
        _ = interrupt.CancelAsync();
    }

    /// <summary>Runs until the instance is let go of.</summary>
    public async Task<RunEnd> RunAsync()
    {
        services.Relay.Register(Key, () => Post(new Nudged()));
        try
        {
            if (claim.IsTakenOver && !state.IsLostCause)
                await BeginTakeoverAsync();
            while (true)
            {
                TakeEvents();
                if (RunMachine.Next(state, services.Clock.Now) is var step && step is Leave leave)
                    return leave.End;
                await CarryOutAsync(step);
            }
        }
        finally
        {
            services.Relay.Unregister(Key);
            await nodes.StopAllAsync();
            place?.Dispose();
        }
    }

    // Where it is interrupted meanwhile, the reason is in the inbox.
    private async Task BeginTakeoverAsync()
    {
        try
        {
            place = await services.Takeovers.EnterAsync(claim.Claims, interrupt.Token);
            HasBegun = await InsistAsync(cancel => services.Claims.BeginAsync(Key, cancel));
            if (!HasBegun)
                Post(new LeaseLost());
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
        }
    }

    private void Post(RunEvent happened)
    {
        inbox.Enqueue(happened);
        pulse.Set();
    }

    private void TakeEvents()
    {
        while (inbox.TryDequeue(out var happened))
            Apply(happened);
        foreach (var ended in nodes.TakeEnds())
            Apply(ended);
    }

    private void Apply(RunEvent happened)
    {
        var before = state.CoreError;
        state = RunMachine.On(state, happened);
        if (state.CoreError is { } error && error != before)
            services.Log.RunBroke(claim.Id, error);
    }

    private async Task CarryOutAsync(RunStep step)
    {
        try
        {
            if (await DoAsync(step) is { } happened)
                Apply(happened);
            if (step is Write { IsLast: false, Checkpoint: var stored })
            {
                place?.Dispose();
                Weigh(stored);
            }
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            // Why it was interrupted is in the inbox; of a checkpoint that was under way nobody knows what became.
            if (step is Write)
                Apply(new WriteUnsure());
        }
        catch (Exception e) when (step is Write && state.IsStopping && StoreFaults.IsPassing(e))
        {
            // The store is away for longer than there is time.
            Apply(new WriteUnsure());
        }
        catch (Exception e) when (step is Release && StoreFaults.IsPassing(e))
        {
            // The lease runs out by itself.
            services.Database.Suspect(e);
            Apply(new Released(false));
        }
        catch (Exception e) when (step is Look or ReadSignals or ReadChildren && StoreFaults.IsPassing(e))
        {
            services.Database.Suspect(e);
            await Task.Delay(BetweenQuestions, services.Time, interrupt.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception e)
        {
            // What somebody else has taken over may have been ended, and cleared away, while it was being read.
            if (step is not (Write or Release) && await SeemsTakenAwayAsync())
            {
                Apply(new LeaseLost());
                return;
            }

            services.Log.RunBroke(claim.Id, e);
            if (step is Write)
                Apply(new WriteUnsure());
            Apply(step switch
            {
                Release => new Released(false),
                ReadChildren => new ChildrenBroke(null),
                _ => new Broke(RunFault.OfInstance),
            });
        }
    }

    private async Task<RunEvent?> DoAsync(RunStep step)
    {
        switch (step)
        {
            case Load load:
                return await LoadAsync(load);
            case Begin begin:
                foreach (var command in begin.Commands)
                    nodes.Carry(command, interrupt.Token);
                return new Begun(begin.Commands);
            case Write write:
                return await WriteAsync(write);
            case ReadSignals read:
                return await ReadSignalsAsync(read.After);
            case ReadChildren read:
                return await ReadChildrenAsync(read);
            case Tick:
                return new Ticked(services.Clock.Now);
            case Look:
                return new Looked(services.Clock.Now, await services.Claims.StandingAsync(claim.Lease, interrupt.Token));
            case Wait wait:
                await pulse.WaitAsync(Until(wait.Until), interrupt.Token);
                return null;
            case Release release:
                return await ReleaseAsync(release);
            default:
                throw new InvalidOperationException($"Unknown step {step.GetType().Name}.");
        }
    }

    // Where that cannot be said, it is not.
    private async Task<bool> SeemsTakenAwayAsync()
    {
        try
        {
            return await IsTakenAwayAsync();
        }
        catch (Exception)
        {
            return false;
        }
    }

    private async Task<RunEvent> ReadChildrenAsync(ReadChildren read)
    {
        var (ends, broken) = await children.EndsAsync(read.Journal, interrupt.Token);
        if (broken is not { } one)
            return new ChildrenRead(ends, read.Counted);
        if (await IsTakenAwayAsync())
            return new LeaseLost();
        services.Log.NodeBroke(claim.Id, one.Key.Path, one.Error);
        Apply(new ChildrenRead(ends, read.Counted));
        return new ChildrenBroke(one.Key);
    }

    private TimeSpan Until(DateTimeOffset? due)
    {
        if (due is not { } at)
            return Timeout.InfiniteTimeSpan;
        // Whole milliseconds, upwards: a timer that fires early would only be set again.
        var wait = Math.Ceiling((at - services.Clock.Now).TotalMilliseconds);
        return TimeSpan.FromMilliseconds(Math.Clamp(wait, 0, int.MaxValue));
    }

    private async Task<ExecutionEnd> ExecuteAsync(Execute command, CancellationToken cancel)
    {
        // A process that was stopped for a while, and finds out only now, must not do what somebody else has done.
        while (IsOverdue)
        {
            await catchUp(cancel);
            // The node's own token follows a moment later.
            if (interrupt.IsCancellationRequested)
                await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
            if (IsOverdue)
                await Task.Delay(BetweenQuestions, services.Time, cancel);
        }

        return command is StartChildren start
            ? await children.StartAsync(state.Journal!.Facts, start, cancel)
            : new(await services.Nodes.ExecuteAsync(command.Key.Attempt > 1 ? context with { MayRepeat = true } : context, command, cancel));
    }
}
