using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What has happened to an instance since its last checkpoint, and where that has brought it.</summary>
/// <param name="Workflow">The definition.</param>
/// <param name="Facts">What does not change.</param>
/// <param name="State">Where the instance stands.</param>
internal sealed record Journal(Workflow Workflow, InstanceFacts Facts, InstanceState State)
{
    private ImmutableArray<InstanceEvent> events = [];
    private ImmutableHashSet<NodeKey> reissued = [];

    /// <summary>The executions that have ended and are not durable yet.</summary>
    public ImmutableArray<NodeExecution> Ended { get; private init; } = [];

    /// <summary>The commands that have not been carried out yet.</summary>
    public ImmutableArray<Command> Commands { get; private init; } = [];

    /// <summary>For an instance that has failed, where its failed nodes can be tried again.</summary>
    public InstanceState? Resume { get; private init; }

    /// <summary>Takes an event in. What comes after the end changes nothing any more, least of all where a retry may go on.</summary>
    public Journal Take(InstanceEvent happened)
    {
        if (State.Outcome is not null)
            return this;
        var decision = Machine.Decide(Workflow, Facts, State, happened);
        var taken = this with
        {
            State = decision.State,
            Resume = decision.Resume,
            // The end of something that nobody waits for leaves no trace, and could not be told again.
            events = happened is not (NodeCompleted or NodeFailed) || decision.Ended.Count > 0 ? events.Add(happened) : events,
            Ended = Ended.AddRange(decision.Ended),
            Commands = decision.Commands.Count == 0 ? Commands : Joined(Commands, decision.Commands),
        };
        return decision.State.Lingering.IsEmpty ? taken : taken.WithoutUnbegun(Commands, happened.At);
    }

    /// <summary>Takes several events in, in their order.</summary>
    public Journal Take(IEnumerable<InstanceEvent> happened) => happened.Aggregate(this, static (journal, one) => journal.Take(one));

    /// <summary>Ends the instance without asking anybody; children that it waits for are not wanted any more.</summary>
    public Journal End(Outcome outcome) => this with
    {
        State = State with { Root = null, Ending = null, Lingering = [], Outcome = outcome },
        Commands = [.. Commands.OfType<CancelChildren>().Union(Waiting().OfType<CancelChildren>())],
        Resume = null,
    };

    /// <summary>
    /// Gives the commands of everything that is being executed and not begun here: a worker before had begun it, but for
    /// children that nobody waits for any more. Whether those were started is seen from the store.
    /// </summary>
    public Journal Reissue()
    {
        var given = Commands.OfType<Execute>().Select(static command => command.Key).ToHashSet();
        List<Command> outstanding = [.. Machine.Outstanding(Workflow, Facts, State).Where(command => !given.Contains(command.Key))];
        if (outstanding.Exists(static command => command is StartChildren))
        {
            var unwanted = Unwanted().ToHashSet();
            outstanding.RemoveAll(command => command is StartChildren && unwanted.Contains(command.Key));
        }

        return this with { Commands = Joined(Commands, outstanding), reissued = reissued.Union(outstanding.Select(static command => command.Key)) };
    }

    /// <summary>The executions whose children were, or are being, told that nobody waits for them, and whose end is awaited all the same.</summary>
    public IEnumerable<NodeKey> Unwanted() => ActivePath.Of(Workflow, Facts, State)
        .Where(active => active.Frame.Activity is AwaitingChildren && (active.Frame.TimedOut || State.Lingering.Exists(item => item.Key == active.Key)))
        .Select(static active => active.Key);

    /// <summary>Whether the next checkpoint has something to tell.</summary>
    public bool HasToTell => !Ended.IsEmpty || Commands.Any(static command => command is CancelChildren);

    /// <summary>The events behind the executions, where those alone do not tell.</summary>
    public Json? Events() => Ended.IsEmpty ? null : EventJson.Of(events, Ended);

    /// <summary>
    /// What has ended is durable, and children that nobody waits for have been told. Events without an execution stay: the
    /// next checkpoint tells of them.
    /// </summary>
    public Journal Stored() => this with
    {
        Ended = [],
        events = Ended.IsEmpty ? events : [],
        Commands = Commands.RemoveAll(static command => command is CancelChildren),
    };

    /// <summary>The executions that are not durable yet are given up: the store does not take them.</summary>
    public Journal Dropped() => this with { Ended = [], events = [] };

    /// <summary>Commands have been carried out.</summary>
    public Journal Carried(ImmutableArray<Command> carried) => this with
    {
        Commands = carried.Length == Commands.Length ? [] : Commands.RemoveRange(carried),
    };

    // What was given up before it had begun, here or anywhere, has had no effects and will have none: its end need not be
    // awaited.
    private Journal WithoutUnbegun(ImmutableArray<Command> given, DateTimeOffset at)
    {
        var unbegun = State.Lingering
            .Where(item => !reissued.Contains(item.Key) && given.Any(command => command is Execute && command.Key == item.Key))
            .Select(item => new NodeFailed(at, item.Key, Turn.Unbegun))
            .ToList();
        return (this with { Commands = Commands.RemoveAll(command => unbegun.Exists(end => end.Key == command.Key)) }).Take(unbegun);
    }

    // What has not begun need not be stopped.
    private ImmutableArray<Command> Joined(ImmutableArray<Command> commands, IReadOnlyList<Command> further)
    {
        if (commands.IsEmpty && further.All(static command => command is Execute))
            return [.. further];
        var joined = commands.ToBuilder();
        foreach (var command in further)
        {
            // A worker before may have started children that are to be started once more: they are told all the same.
            if (command is Execute || !RemoveUnbegun(joined, command.Key) || (command is CancelChildren && reissued.Contains(command.Key)))
                joined.Add(command);
        }

        return joined.DrainToImmutable();
    }

    private static bool RemoveUnbegun(ImmutableArray<Command>.Builder commands, NodeKey key)
    {
        for (var i = 0; i < commands.Count; i++)
        {
            if (commands[i] is Execute && commands[i].Key == key)
            {
                commands.RemoveAt(i);
                return true;
            }
        }

        return false;
    }

    private ImmutableArray<Command> Waiting()
    {
        try
        {
            return [.. ActivePath.Of(Workflow, Facts, State)
                .Where(active => active.Frame.Activity is AwaitingChildren)
                .Select(active => new CancelChildren(active.Key))];
        }
        catch (Exception)
        {
            // A state that cannot even be walked through tells nothing of children.
            return [];
        }
    }
}
