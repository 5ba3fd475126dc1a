using System.Collections.Immutable;
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
        if (state.Outcome is not null || (happened is CancelRequested && state.Ending is not null))
            return new(state, [], []);

        if (happened is Started)
            state = state with { Names = facts.Names };
        var turn = new Turn(workflow, facts, state, happened.At);
        if (happened is SignalArrived { Signal: var signal } && !turn.Deliver(signal))
            return new(state, [], []);
        if (turn.EndLingering(happened) is { } decision)
            return decision;
        if (state.Ending is { } ending)
            return turn.AdvanceEnding(ending, happened);

        var nodes = NodesOf(workflow, facts);
        return (happened, state.Root) switch
        {
            (CancelRequested cancel, _) => turn.Cancel(nodes, state.Root, cancel.Reason),
            (Started, null) => turn.Decided(turn.Enter(nodes, PathScope.Root)),
            (_, { } root) => turn.Decided(turn.Advance(nodes, PathScope.Root, root, happened)),
            _ => throw new InvalidOperationException($"An instance that has not started cannot take in {happened.GetType().Name}."),
        };
    }

    /// <summary>The commands for everything that is being executed in a state: what a worker that has taken over must do again.</summary>
    public static IReadOnlyList<Command> Outstanding(Workflow workflow, InstanceFacts facts, InstanceState state)
    {
        var turn = new Turn(workflow, facts, state, default);
        foreach (var lingering in state.Lingering)
            turn.Reissue(lingering);
        if (state.Ending is { } ending)
            turn.Reissue(ending);
        else if (state is { Root: { } root, Outcome: null })
            turn.Reissue(NodesOf(workflow, facts), PathScope.Root, root);
        return turn.Commands;
    }

    /// <summary>The nodes that an instance runs: all of its workflow's, or the body that it runs for one item.</summary>
    internal static ImmutableArray<Node> NodesOf(Workflow workflow, InstanceFacts facts) =>
        facts.Entry is { } entry ? ((ForEachNode)workflow.NodeAt(entry)).Do : workflow.Do;
}
