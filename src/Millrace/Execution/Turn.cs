using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>One decision in the making: what the walk over the active paths has found so far.</summary>
internal sealed partial class Turn(Workflow workflow, InstanceFacts facts, InstanceState state, DateTimeOffset at)
{
    // What ends at once, without anything outside, can follow itself for ever; a decision stops after so many turns and
    // items, and goes on with the next one.
    private const int MostAtOnce = 64;

    private readonly List<Command> commands = [];
    private readonly List<NodeExecution> ended = [];
    private NameScope names = new(null, state.Names);
    private ImmutableList<Compensation> compensations = state.Compensations;
    private long compensationBytes = state.CompensationBytes;
    private ImmutableList<Lingering> lingering = state.Lingering;
    private Mailbox mailbox = state.Mailbox;
    private int room = MostAtOnce;

    public IReadOnlyList<Command> Commands => commands;

    /// <summary>Begins a sequence at its first node.</summary>
    public Progress<SequenceFrame> Enter(ImmutableArray<Node> nodes, PathScope scope) => Continue(nodes, scope, 0, Json.Null);

    /// <summary>Passes an event to the active node of a sequence, and goes on from there.</summary>
    public Progress<SequenceFrame> Advance(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame, InstanceEvent happened)
    {
        var progress = Advance(nodes[frame.Index], scope, frame.Child, happened);
        return progress is Completed<NodeFrame> completed
            ? Continue(nodes, scope, frame.Index + 1, completed.Result)
            : progress.Wrap(child => new SequenceFrame(frame.Index, child));
    }

    private Progress<SequenceFrame> Continue(ImmutableArray<Node> nodes, PathScope scope, int index, Json last)
    {
        for (; index < nodes.Length; index++)
        {
            var progress = Begin(nodes[index], scope, attempt: 1, forgiven: 0);
            if (progress is not Completed<NodeFrame> completed)
                return progress.Wrap(child => new SequenceFrame(index, child));
            last = completed.Result;
        }

        return new Completed<SequenceFrame>(last);
    }

    // Runs a step with names of its own over the present ones; tells what it has bound.
    private (T Result, ImmutableDictionary<string, Json> Own) Scoped<T>(ImmutableDictionary<string, Json> own, Func<T> step)
    {
        var outer = names;
        names = new(outer, own);
        try
        {
            return (step(), names.Own);
        }
        finally
        {
            names = outer;
        }
    }

    private TemplateScope Templates(int attempt) => new(facts, names, attempt);

    private void Record(NodeKey key, string kind, NodeStatus status, DateTimeOffset startedAt, Json? result, NodeError? error) =>
        ended.Add(new(state.Executions + ended.Count, key, kind, status, result, error, startedAt, at));

    // What was begun in this very decision need not be begun at all.
    private void Give(Command command)
    {
        if (command is not (Abandon or CancelChildren) || commands.RemoveAll(other => other is Execute && other.Key == command.Key) == 0)
            commands.Add(command);
    }
}
