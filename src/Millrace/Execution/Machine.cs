using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>
/// The state machine that decides what an instance does next. It is a function of its arguments: no I/O, no clock, no
/// randomness. The same events in the same order give the same state, which is what lets a worker rebuild a dead
/// worker's state from the history.
/// </summary>
public static class Machine
{
    /// <summary>Takes in an event.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="facts">What does not change.</param>
    /// <param name="state">The state so far.</param>
    /// <param name="happened">The event. One that concerns an execution which is not active changes nothing.</param>
    public static Decision Decide(Workflow workflow, InstanceFacts facts, InstanceState state, InstanceEvent happened)
    {
        if (state.Outcome is not null)
            return new(state, [], []);

        var turn = new Turn(facts, state, happened.At);
        var progress = (happened, state.Root) switch
        {
            (CancelRequested cancel, _) => turn.Cancel(workflow.Do, state.Root, cancel.Reason),
            (Started, null) => turn.Enter(workflow.Do, PathScope.Root),
            (_, { } root) => turn.Advance(workflow.Do, PathScope.Root, root, happened),
            _ => throw new InvalidOperationException($"An instance that has not started cannot take in {happened.GetType().Name}."),
        };
        return turn.Decided(progress);
    }

    /// <summary>The commands for everything that is being executed in a state: what a worker that has taken over must do again.</summary>
    public static IReadOnlyList<Command> Outstanding(Workflow workflow, InstanceFacts facts, InstanceState state)
    {
        if (state is not { Root: { } root, Outcome: null })
            return [];
        var turn = new Turn(facts, state, default);
        turn.Reissue(workflow.Do, PathScope.Root, root);
        return turn.Commands;
    }
}
