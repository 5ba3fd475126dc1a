using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>A line of an instance's history.</summary>
/// <param name="Execution">The execution that ended.</param>
/// <param name="Events">
/// The events of the checkpoint that it was the first one of; null where the execution itself tells, or is not the first.
/// </param>
public sealed record HistoryLine(NodeExecution Execution, Json? Events);

/// <summary>
/// Rebuilds a state from a snapshot and the history after it, by taking in the same events in the same order. Lines come
/// one by one, and none is kept longer than until its checkpoint is complete, so a history may be larger than memory.
/// </summary>
public sealed class Replay
{
    private readonly Workflow workflow;
    private readonly InstanceFacts facts;
    private readonly Dictionary<long, Signal> signals;

    // Of the checkpoint whose events are not taken in yet: the executions they name, and how many of those are still to come.
    private readonly Dictionary<NodeKey, NodeExecution?> named = [];
    private HistoryLine? open;
    private int missing;

    /// <param name="workflow">The definition.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="snapshot">The last snapshot, or <see cref="InstanceState.Initial"/>.</param>
    /// <param name="startedAt">When the instance began.</param>
    /// <param name="signals">The signals that have come since the snapshot; more do no harm.</param>
    public Replay(Workflow workflow, InstanceFacts facts, InstanceState snapshot, DateTimeOffset startedAt, IEnumerable<Signal> signals)
    {
        (this.workflow, this.facts, State) = (workflow, facts, snapshot);
        this.signals = signals.ToDictionary(signal => signal.Number);
        if (snapshot is { Root: null, Ending: null })
            Happens(new Started(startedAt));
    }

    /// <summary>What all complete checkpoints so far have come to.</summary>
    public InstanceState State { get; private set; }

    /// <summary>Takes a line in. Lines come by ordinal; those that the snapshot already contains are passed over.</summary>
    public void Take(HistoryLine line)
    {
        if (line.Execution.Ordinal < State.Executions)
            return;
        if (open is null)
            Open(line);
        if (named.TryGetValue(line.Execution.Key, out var known) && known is null)
        {
            named[line.Execution.Key] = line.Execution;
            missing--;
        }

        if (missing == 0)
            Close();
    }

    /// <summary>The state that all lines have come to.</summary>
    /// <exception cref="InvalidOperationException">The lines are not the history of this workflow, or are not all of it.</exception>
    public InstanceState End() => open is { } line ? throw Broken(line) : State;

    /// <summary>Folds a history that is at hand into a state.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="snapshot">The last snapshot, or <see cref="InstanceState.Initial"/>.</param>
    /// <param name="startedAt">When the instance began.</param>
    /// <param name="history">Executions by ordinal.</param>
    /// <param name="signals">The signals that have come since the snapshot; more do no harm.</param>
    public static InstanceState Fold(
        Workflow workflow, InstanceFacts facts, InstanceState snapshot, DateTimeOffset startedAt, IEnumerable<HistoryLine> history,
        IEnumerable<Signal> signals)
    {
        var replay = new Replay(workflow, facts, snapshot, startedAt, signals);
        foreach (var line in history)
            replay.Take(line);
        return replay.End();
    }

    // The events of a checkpoint are kept with its first line, and name executions of the lines after it.
    private void Open(HistoryLine line)
    {
        open = line;
        if (line.Events is { } events)
        {
            foreach (var key in EventJson.ExecutionsIn(events))
                named[key] = null;
        }

        missing = named.Count;
    }

    private void Close()
    {
        var line = open!;
        foreach (var happened in line.Events is { } events ? EventJson.Read(events, key => named[key]!, Numbered) : [EventJson.Implied(line.Execution)])
            Happens(happened);
        if (line.Execution.Ordinal >= State.Executions)
            throw Broken(line);
        named.Clear();
        open = null;
    }

    private Signal Numbered(long number) => signals.TryGetValue(number, out var signal)
        ? signal
        : throw new InvalidOperationException($"The history of instance {facts.Id} names signal {number}, which is not there.");

    private void Happens(InstanceEvent happened) => State = Machine.Decide(workflow, facts, State, happened).State;

    private InvalidOperationException Broken(HistoryLine line) =>
        new($"The history of instance {facts.Id} does not follow from its workflow at execution {line.Execution.Ordinal}.");
}
