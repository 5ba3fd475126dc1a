using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>A line of an instance's history.</summary>
/// <param name="Execution">The execution that ended.</param>
/// <param name="Events">
/// The events of the checkpoint that it was the first one of; null where the execution itself tells, or is not the first.
/// </param>
public sealed record HistoryLine(NodeExecution Execution, Json? Events);

/// <summary>Rebuilds a state from a snapshot and the history after it, by taking in the same events in the same order.</summary>
public static class Replay
{
    /// <summary>Folds history into a state.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="snapshot">The last snapshot, or <see cref="InstanceState.Initial"/>.</param>
    /// <param name="startedAt">When the instance began.</param>
    /// <param name="history">Executions by ordinal; those that the snapshot already contains are passed over.</param>
    /// <param name="signals">The signals that have come since the snapshot; more do no harm.</param>
    public static InstanceState Fold(
        Workflow workflow, InstanceFacts facts, InstanceState snapshot, DateTimeOffset startedAt, IReadOnlyList<HistoryLine> history,
        IReadOnlyList<Signal> signals)
    {
        var state = snapshot;
        void Happens(InstanceEvent happened) => state = Machine.Decide(workflow, facts, state, happened).State;
        NodeExecution Find(NodeKey key) => history.First(line => line.Execution.Key == key).Execution;
        Signal Numbered(long number) => signals.First(signal => signal.Number == number);

        if (state is { Root: null, Ending: null })
            Happens(new Started(startedAt));
        foreach (var line in history)
        {
            if (line.Execution.Ordinal < state.Executions)
                continue;
            foreach (var happened in line.Events is { } events ? EventJson.Read(events, Find, Numbered) : [EventJson.Implied(line.Execution)])
                Happens(happened);
            if (line.Execution.Ordinal >= state.Executions)
                throw new InvalidOperationException($"The history of instance {facts.Id} does not follow from its workflow at execution {line.Execution.Ordinal}.");
        }

        return state;
    }
}
