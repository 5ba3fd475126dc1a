using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>
/// Rebuilds a state from a snapshot and the executions that ended after it. Executions are what events left behind:
/// each one that the machine has not itself produced yet tells which event came next.
/// </summary>
public static class Replay
{
    /// <summary>Folds history into a state.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="snapshot">The state at the last park, or <see cref="InstanceState.Initial"/>.</param>
    /// <param name="startedAt">When the instance began.</param>
    /// <param name="history">Executions by ordinal; those that the snapshot already contains are passed over.</param>
    public static InstanceState Fold(
        Workflow workflow, InstanceFacts facts, InstanceState snapshot, DateTimeOffset startedAt, IEnumerable<NodeExecution> history)
    {
        var state = snapshot;
        void Happens(InstanceEvent happened) => state = Machine.Decide(workflow, facts, state, happened).State;

        if (state.Root is null)
            Happens(new Started(startedAt));
        foreach (var execution in history)
        {
            if (execution.Ordinal < state.Executions || state.Outcome is not null)
                continue;
            // A retry's pause that was over when this execution began has left no execution of its own.
            if (state.NextDue <= execution.StartedAt)
                Happens(new TimerDue(execution.StartedAt));
            if (execution.Ordinal >= state.Executions)
                Happens(EventOf(execution));
        }

        return state;
    }

    private static InstanceEvent EventOf(NodeExecution execution) => execution switch
    {
        { Kind: "sql" or "http", Status: NodeStatus.Completed } => new NodeCompleted(execution.EndedAt, execution.Key, execution.Result!),
        { Kind: "sql" or "http", Status: NodeStatus.Failed, Error: { } error } =>
            new NodeFailed(execution.EndedAt, execution.Key, new(error.Message, error.Code, error.Retryable)),
        // Everything else ends by itself when its time has come.
        _ => new TimerDue(execution.EndedAt),
    };
}
