using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Tests.Support;

/// <summary>
/// One instance's row, its history, its signals and its children, as the store's statements treat them: each method is one
/// of them, and takes effect at once and whole.
/// </summary>
internal sealed class ModelRow(Guid id)
{
    private static readonly DateTimeOffset Never = DateTimeOffset.MaxValue;
    private readonly Guid organisation = Guid.NewGuid();
    private readonly HashSet<Guid> groups = [];
    private readonly HashSet<Guid> endedGroups = [];
    private long tokens;
    private long? token;
    private string? worker;
    private bool begun = true;
    private int claims;
    private Json? snapshot;
    private Json? fault;
    private DateTimeOffset? startedAt;
    private DateTimeOffset? leasedUntil;

    public Outcome? Outcome { get; private set; }

    public DateTimeOffset ReadyAt { get; private set; } = VirtualRun.Epoch;

    public bool Suspended => standing.Suspended;

    public bool CancelRequested => standing.CancelRequested;

    public bool IsHeld => token is not null;

    public List<HistoryLine> History { get; } = [];

    public List<Signal> Signals { get; } = [];

    /// <summary>The groups whose children were told that nobody waits for them.</summary>
    public HashSet<Guid> ToldGroups { get; } = [];

    /// <summary>The groups that were left running, and untold, when the instance ended.</summary>
    public List<Guid> Orphans { get; } = [];

    public IEnumerable<Guid> OpenGroups => groups.Except(endedGroups);

    private Standing standing;

    public Standing Standing => standing;

    private bool IsLive => Outcome is null;

    public ClaimedInstance? Claim(string by, DateTimeOffset now, TimeSpan lease)
    {
        if (!IsLive || ReadyAt > now || leasedUntil > now)
            return null;
        var isTakenOver = token is not null;
        claims = isTakenOver && (worker == by || !begun || (worker is null && fault is null)) ? Math.Max(claims, 1) : claims + 1;
        begun = !isTakenOver;
        (token, worker, leasedUntil, startedAt) = (++tokens, by, now + lease, startedAt ?? now);
        return new(
            id, tokens, claims, startedAt.Value, standing, snapshot, organisation, [], "w", 1, null, 5, null, Json.FromText("{}"), null, null, 0,
            isTakenOver, fault);
    }

    /// <summary>What was taken over begins to run.</summary>
    public bool Begin(LeaseKey lease)
    {
        if (!Holds(lease) || worker is null)
            return false;
        begun = true;
        return true;
    }

    public Standing? Renew(LeaseKey lease, DateTimeOffset now, TimeSpan span)
    {
        if (!Holds(lease) || worker is null)
            return null;
        (ReadyAt, leasedUntil) = (now + span, now + span);
        return standing;
    }

    public Standing? Look(LeaseKey lease) => Holds(lease) ? standing : null;

    /// <summary>A worker whose lease was taken over lives.</summary>
    public void Survived(string by)
    {
        if (IsLive && claims > 1 && worker is not null && worker != by)
            claims--;
    }

    public bool Release(LeaseKey lease, DateTimeOffset now, TimeSpan pause, Json? why)
    {
        if (!Holds(lease))
            return false;
        (ReadyAt, leasedUntil, worker, fault) = (now + pause, now + pause, null, why ?? fault);
        claims = why is null && begun ? Math.Min(claims, 1) : claims;
        return true;
    }

    public CheckpointAnswer Store(Checkpoint checkpoint, DateTimeOffset now)
    {
        if (!Holds(checkpoint.Lease.Key))
            return new(false);
        History.AddRange(checkpoint.Ended
            .Select((execution, index) => new HistoryLine(execution, index == 0 ? checkpoint.Events : null))
            .Where(line => History.TrueForAll(known => known.Execution.Ordinal != line.Execution.Ordinal)));
        ToldGroups.UnionWith(checkpoint.UnwantedGroups.Where(groups.Contains));
        if (checkpoint.ShowsLife)
            claims = 1;
        switch (checkpoint)
        {
            case FinishCheckpoint finish:
                Outcome = finish.Outcome;
                Orphans.AddRange(OpenGroups.Except(ToldGroups));
                return new(true);
            case ParkCheckpoint park:
                ReadyAt = standing.CancelRequested && park.State.Ending is null ? now
                    : standing.Suspended ? Never
                    : standing.Requests != park.Seen.Requests || standing.Signals > park.State.Mailbox.Seen || standing.ChildEnds > park.Seen.ChildEnds ? now
                    : park.Due ?? Never;
                (token, worker, leasedUntil, claims, fault, snapshot) = (null, null, null, 0, null, park.Snapshot);
                return new(true, Ready: ReadyAt <= now);
            case SaveCheckpoint save:
                snapshot = save.Snapshot;
                return new(true, standing);
            default:
                return new(true, standing);
        }
    }

    public void Suspend()
    {
        if (!IsLive || standing.CancelRequested)
            return;
        standing = standing with { Suspended = true, Requests = standing.Requests + 1 };
        if (token is null)
            ReadyAt = Never;
    }

    public void Resume(DateTimeOffset now)
    {
        if (!IsLive || !standing.Suspended)
            return;
        standing = standing with { Suspended = false, Requests = standing.Requests + 1 };
        if (worker is null)
            (ReadyAt, leasedUntil) = (now, null);
    }

    public void Cancel(DateTimeOffset now)
    {
        if (!IsLive)
            return;
        standing = standing with { CancelRequested = true, CancelReason = standing.CancelReason ?? "asked", Suspended = false, Requests = standing.Requests + 1 };
        if (worker is null)
            (ReadyAt, leasedUntil) = (now, null);
    }

    public void Signal(string name, DateTimeOffset now)
    {
        if (!IsLive)
            return;
        standing = standing with { Signals = standing.Signals + 1, Requests = standing.Requests + 1 };
        Signals.Add(new(standing.Signals, name, Json.FromText("1")));
        if (token is null && !standing.Suspended && startedAt is not null)
            ReadyAt = now;
    }

    /// <summary>Starts the children of a group once; the number of ends that the row counts from then on.</summary>
    public long? StartChildren(LeaseKey lease, Guid group)
    {
        if (!Holds(lease) || !groups.Add(group))
            return null;
        standing = standing with { ChildEnds = standing.ChildEnds + 1 };
        return standing.ChildEnds;
    }

    public bool WereStarted(Guid group) => groups.Contains(group);

    public bool HaveEnded(Guid group) => endedGroups.Contains(group);

    public void EndChildren(Guid group, DateTimeOffset now)
    {
        if (!endedGroups.Add(group) || !IsLive)
            return;
        standing = standing with { ChildEnds = standing.ChildEnds + 1, Requests = standing.Requests + 1 };
        if (token is null && !standing.Suspended)
            ReadyAt = now;
    }

    /// <summary>Where the instance stands by what is stored.</summary>
    public InstanceState Fold(Millrace.Workflows.Workflow workflow, InstanceFacts facts) => Replay.Fold(
        workflow, facts, snapshot is null ? InstanceState.Initial : StateJson.Read(snapshot), startedAt ?? VirtualRun.Epoch, History, Signals);

    /// <summary>
    /// Why a row that nobody will ever claim again, unless something new comes, should be claimed all the same; null where
    /// it is right as it is.
    /// </summary>
    public string? WhyStuck(Millrace.Workflows.Workflow workflow, InstanceFacts facts)
    {
        if (!IsLive || token is not null || standing.Suspended || ReadyAt != Never)
            return null;
        var state = StateJson.Read(snapshot!);
        var active = ActivePath.Of(workflow, facts, state).ToList();
        var groupsOf = active.Where(node => node.Frame.Activity is AwaitingChildren).Select(node => ChildStore.GroupOf(id, node.Key)).ToList();
        return standing.CancelRequested && state.Ending is null ? "nobody sees that it is to be cancelled"
            : standing.Signals > state.Mailbox.Seen ? "a signal has come that nobody sees"
            : groupsOf.Exists(group => !groups.Contains(group)) ? "it waits for children that nobody has started"
            : groupsOf.Exists(endedGroups.Contains) ? "its children have ended and nobody sees it"
            : active.Exists(node => node.Frame.Activity is Executing or Testing) ? "it waits for an execution that nobody makes"
            : groupsOf.Count == 0 && !active.Exists(node => node.Frame.Activity is AwaitingSignal) ? "it waits for nothing"
            : null;
    }

    private bool Holds(LeaseKey lease) => IsLive && token == lease.Token;
}
