using Millrace.Execution;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What has happened to an instance since its last checkpoint, and where that has brought it.</summary>
internal sealed class Journal(Workflow workflow, InstanceFacts facts, InstanceState state)
{
    private readonly List<InstanceEvent> events = [];
    private readonly List<NodeExecution> ended = [];
    private readonly List<Command> commands = [];

    public InstanceState State { get; private set; } = state;

    /// <summary>The executions that have ended and are not durable yet.</summary>
    public IReadOnlyList<NodeExecution> Ended => ended;

    /// <summary>The commands that have not been carried out yet.</summary>
    public IReadOnlyList<Command> Commands => commands;

    /// <summary>For an instance that has failed, where its failed nodes can be tried again.</summary>
    public InstanceState? Resume { get; private set; }

    /// <summary>Takes an event in. What comes after the end changes nothing any more, least of all where a retry may go on.</summary>
    public void Take(InstanceEvent happened)
    {
        if (State.Outcome is not null)
            return;
        var decision = Machine.Decide(workflow, facts, State, happened);
        State = decision.State;
        Resume = decision.Resume;
        // The end of something that nobody waits for leaves no trace, and could not be told again.
        if (happened is not (NodeCompleted or NodeFailed) || decision.Ended.Count > 0)
            events.Add(happened);
        ended.AddRange(decision.Ended);
        foreach (var command in decision.Commands)
            Add(command);
    }

    /// <summary>Ends the instance without asking anybody; children that it waits for are not wanted any more.</summary>
    public void End(Outcome outcome)
    {
        foreach (var active in ActivePath.Of(workflow, facts, State).Where(active => active.Frame.Activity is AwaitingChildren))
            commands.Add(new CancelChildren(active.Key));
        State = State with { Root = null, Ending = null, Outcome = outcome };
    }

    /// <summary>Gives the commands of everything that is being executed, but for what runs already.</summary>
    public void Reissue(Func<NodeKey, bool> isRunning)
    {
        foreach (var command in Machine.Outstanding(workflow, facts, State))
        {
            if (!isRunning(command.Key))
                Add(command);
        }
    }

    /// <summary>The events behind the executions, where those alone do not tell.</summary>
    public Json? Events() => ended.Count == 0 ? null : EventJson.Of(events, ended);

    /// <summary>What has ended is durable.</summary>
    public void Stored()
    {
        // Events without an execution stay: the next checkpoint tells of them.
        if (ended.Count == 0)
            return;
        ended.Clear();
        events.Clear();
    }

    /// <summary>Takes the commands out.</summary>
    public IReadOnlyList<Command> TakeCommands()
    {
        List<Command> taken = [.. commands];
        commands.Clear();
        return taken;
    }

    // What has not begun need not be stopped.
    private void Add(Command command)
    {
        if (command is Execute || commands.RemoveAll(other => other is Execute && other.Key == command.Key) == 0)
            commands.Add(command);
    }
}
