using Millrace.Execution;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Support;

/// <summary>
/// A process with its runs of one instance, on a model of the store. Everything that takes time outside is cut in two: a
/// request reaches the store some time, and its answer comes back some time later, or never.
/// </summary>
internal sealed class ModelServer(ModelRow row, Workflow workflow, InstanceFacts facts, string worker, Random random)
{
    public const int MaxTakeovers = 5;

    private static readonly RunRules Rules = new(MaxTakeovers, TimeSpan.FromSeconds(1), ExecutionsBetweenSaves: 3);
    private readonly List<Action> renewals = [];

    public static TimeSpan Lease { get; } = TimeSpan.FromSeconds(3);

    public List<ModelRun> Runs { get; } = [];

    public bool IsPaused { get; set; }

    public List<string> Errors { get; } = [];

    public void Claim(DateTimeOffset now)
    {
        if (row.Claim(worker, now, Lease) is { } claim)
            Runs.Add(new(RunState.Of(claim, Rules)));
    }

    public void Renew(DateTimeOffset now)
    {
        foreach (var run in Runs)
        {
            var standing = row.Renew(run.Key, now, Lease);
            renewals.Add(() => run.Inbox.Add(standing is { } told ? new Told(now, told) : new LeaseLost()));
        }
    }

    /// <summary>One of the answers to renewals comes back, in any order.</summary>
    public void AnswerRenewal()
    {
        if (renewals.Count == 0)
            return;
        var at = random.Next(renewals.Count);
        renewals[at]();
        renewals.RemoveAt(at);
    }

    public void Nudge()
    {
        foreach (var run in Runs)
            run.Inbox.Add(new Nudged());
    }

    public void Interrupt()
    {
        foreach (var run in Runs)
            run.Inbox.Add(new Interrupted());
    }

    /// <summary>How many nodes have failed.</summary>
    public int Failures { get; private set; }

    /// <summary>A node that is being executed ends, fails, or meets an error of our own.</summary>
    public void EndNode(DateTimeOffset now, bool breaks = false, bool fails = false)
    {
        var executing = Runs.SelectMany(run => run.Executing.Select(command => (run, command))).ToList();
        if (executing.Count == 0)
            return;
        var (run, command) = executing[random.Next(executing.Count)];
        run.Executing.Remove(command);
        if (breaks)
            run.Inbox.Add(new ExecutionBroke(command.Key));
        else if (fails)
        {
            Failures++;
            run.Inbox.Add(new ExecutionEnded(command.Key, new NodeFailed(now, command.Key, new("it is not to be", "no", Retryable: random.Next(2) == 0))));
        }
        else if (command is StartChildren start)
            run.Inbox.Add(new ExecutionEnded(start.Key, null, row.StartChildren(run.Key, ChildStore.GroupOf(facts.Id, start.Key))));
        else
            run.Inbox.Add(new ExecutionEnded(command.Key, new NodeCompleted(now, command.Key, Json.FromText("""{"rows":[{"n":1}],"row_count":1}"""))));
    }

    /// <summary>Goes one step with one of the runs: sends what it wants, lets the store do it, or takes the answer in.</summary>
    public void Step(DateTimeOffset now)
    {
        if (Runs.Count == 0)
            return;
        var run = Runs[random.Next(Runs.Count)];
        if (run.Answer is { } answer)
        {
            // An answer may be lost on its way; then nobody knows, and a checkpoint is offered again.
            if (run.Step is Write && random.Next(12) == 0)
            {
                run.Take(new WriteUnsure());
                run.Answer = null;
                // Where it is interrupted or its lease is lost, it does not offer it again.
                if (run.Inbox.Exists(happened => happened is Interrupted or LeaseLost))
                    run.Step = null;
                return;
            }

            (run.Answer, run.Step) = (null, null);
            run.Take(answer);
        }
        else if (run.Step is Write && random.Next(12) == 0)
        {
            // It may be the checkpoint that is lost, and not the answer.
            run.Take(new WriteUnsure());
            if (run.Inbox.Exists(happened => happened is Interrupted or LeaseLost))
                run.Step = null;
        }
        else if (run.Step is { } sent)
        {
            run.Answer = AnswerOf(run, sent, now);
        }
        else
        {
            Begin(run, now);
        }
    }

    private void Begin(ModelRun run, DateTimeOffset now)
    {
        if (run is { State: { Claim.IsTakenOver: true, IsLostCause: false }, HasBegun: false })
        {
            run.HasBegun = true;
            if (!row.Begin(run.Key))
                run.Inbox.Add(new LeaseLost());
            return;
        }

        foreach (var happened in run.Inbox)
            run.Take(happened);
        run.Inbox.Clear();
        if (run.State.CoreError is { } error)
            Errors.Add(error.ToString());
        var step = RunMachine.Next(run.State, now);
        switch (step)
        {
            case Leave leave:
                Runs.Remove(run);
                if (leave.End is RunEnd.Lost && (run.HasBegun || !run.State.Claim.IsTakenOver))
                    row.Survived(worker);
                break;
            case Begin begin:
                if (run.Newest.Suspended && begin.Commands.Any(command => command is Execute))
                    Errors.Add("something begins while the instance is suspended");
                foreach (var command in begin.Commands)
                {
                    if (command is Execute execute)
                        run.Executing.Add(execute);
                    else
                        run.Executing.RemoveAll(other => other.Key == command.Key);
                }

                run.Take(new Begun(begin.Commands));
                break;
            case Tick:
                run.Take(new Ticked(now));
                break;
            case Wait:
                break;
            default:
                if (step is Release or Write { IsLast: true })
                    run.Executing.Clear();
                else if (step is Write)
                    Settle(run);
                run.Step = step;
                break;
        }
    }

    // Children that are just being started are told that nobody waits for them once they are there.
    private void Settle(ModelRun run)
    {
        var unwanted = run.State.Journal!.Commands.OfType<CancelChildren>().Select(command => command.Key).ToHashSet();
        foreach (var start in run.Executing.OfType<StartChildren>().Where(start => unwanted.Contains(start.Key)).ToList())
        {
            run.Executing.Remove(start);
            run.Inbox.Add(new ExecutionEnded(start.Key, null, row.StartChildren(run.Key, ChildStore.GroupOf(facts.Id, start.Key))));
        }
    }

    private RunEvent AnswerOf(ModelRun run, RunStep step, DateTimeOffset now) => step switch
    {
        Load load => new Loaded(now, new(workflow, facts, load.WithHistory ? row.Fold(workflow, facts) : Snapshot(run)))
        {
            LeftGroups = load.WithLeftGroups ? [.. row.OpenGroups] : [],
        },
        Write write => new Written(now, write.Checkpoint, row.Store(write.Checkpoint, now)),
        ReadSignals read => new SignalsRead(now, [.. row.Signals.Where(signal => signal.Number > read.After)]),
        ReadChildren read => new ChildrenRead(Ends(read.Journal, now), read.Counted),
        Look => new Looked(now, row.Look(run.Key)),
        Release release => new Released(row.Release(run.Key, now, release.Pause, release.Fault?.Write())),
        _ => throw new InvalidOperationException(step.ToString()),
    };

    private static InstanceState Snapshot(ModelRun run) =>
        run.State.Claim.Snapshot is { } snapshot ? StateJson.Read(snapshot) : InstanceState.Initial;

    private List<InstanceEvent> Ends(Journal journal, DateTimeOffset now)
    {
        var ends = new List<InstanceEvent>();
        foreach (var active in ActivePath.Of(workflow, facts, journal.State).Where(active => active.Frame.Activity is AwaitingChildren))
        {
            var group = ChildStore.GroupOf(facts.Id, active.Key);
            if (!row.WereStarted(group) && journal.Unwanted().Contains(active.Key))
                ends.Add(new NodeFailed(now, active.Key, Turn.Unbegun));
            else if (row.HaveEnded(group) && row.ToldGroups.Contains(group))
                ends.Add(new NodeFailed(now, active.Key, new("it was cancelled", "child_cancelled")));
            else if (row.HaveEnded(group))
                ends.Add(new NodeCompleted(now, active.Key, Json.FromText("1")));
        }

        return ends;
    }
}

/// <summary>One run, with what it has asked for and what waits for it.</summary>
internal sealed class ModelRun(RunState state)
{
    public RunState State { get; private set; } = state;

    public LeaseKey Key => State.Claim.Lease.Key;

    public List<RunEvent> Inbox { get; } = [];

    public List<Execute> Executing { get; } = [];

    /// <summary>Whether the row knows that it has begun, where it was taken over.</summary>
    public bool HasBegun { get; set; }

    /// <summary>What was asked for, and has no answer yet.</summary>
    public RunStep? Step { get; set; }

    /// <summary>The answer, on its way.</summary>
    public RunEvent? Answer { get; set; }

    /// <summary>The newest version of the row that the run was told of.</summary>
    public Standing Newest { get; private set; } = state.Standing;

    public void Take(RunEvent happened)
    {
        var told = happened switch { Told answer => answer.Standing, Looked looked => looked.Standing, Written written => written.Answer.Standing, _ => null };
        if (told is { } standing && standing.Requests >= Newest.Requests)
            Newest = standing;
        State = RunMachine.On(State, happened);
    }
}
