using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// Giving up what is active, and doing again what was.
internal sealed partial class Turn
{
    // Innermost first, as they would have ended by themselves.
    private void Drop(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        var node = nodes[frame.Index];
        if (Lingers(node, scope, frame.Child))
            return;
        DropInner(node, scope, frame.Child);
        // A pause has no execution that could be given up: the attempt before it has ended, the one after not begun.
        if (frame.Child.Activity is not BackingOff)
            Record(scope.Key(node, frame.Child.Attempt), node.Kind, NodeStatus.Cancelled, frame.Child.StartedAt, null, null);
    }

    private void Drop(InnerSequence inner) => Within(inner, () => Drop(inner.Nodes, inner.Scope, inner.Frame));

    private void DropInner(Node node, PathScope scope, NodeFrame frame)
    {
        foreach (var inner in InnerSequence.Of(node, scope, frame))
            Drop(inner);
        switch (frame.Activity)
        {
            case Executing:
                Give(new Abandon(scope.Key(node, frame.Attempt)));
                break;
            case AwaitingChildren:
                Give(new CancelChildren(scope.Key(node, frame.Attempt)));
                break;
            case Testing { Question: var question }:
                DropQuestion(scope.Within(node, frame), question);
                break;
            case Looping { Question: { } question } looping:
                DropQuestion(scope.WithinTurn(node, frame, looping.Turn), question);
                break;
        }
    }

    private void DropQuestion(PathScope inner, Question question)
    {
        var key = new NodeKey(inner.Of(question.Path), inner.Iteration, 1);
        Give(new Abandon(key));
        Record(key, "sql", NodeStatus.Cancelled, question.StartedAt, null, null);
    }

    /// <summary>Gives the commands of everything that is being executed once more.</summary>
    public void Reissue(ImmutableArray<Node> nodes, PathScope scope, SequenceFrame frame)
    {
        var (node, child) = (nodes[frame.Index], frame.Child);
        switch (child.Activity)
        {
            case Executing or AwaitingChildren:
                // It begins as it did the first time; the names it reads have not changed.
                Start(node, scope, child);
                break;
            case Testing { Question: var question }:
                Ask(((IfNode)node).Condition, scope.Within(node, child), child.Attempt, question.Answers);
                break;
            case Looping { Question: { } question } looping:
                Ask(((LoopNode)node).While!, scope.WithinTurn(node, child, looping.Turn), child.Attempt, question.Answers);
                break;
        }

        foreach (var inner in InnerSequence.Of(node, scope, child))
            Within(inner, () => Reissue(inner.Nodes, inner.Scope, inner.Frame));
    }

    /// <summary>The same for a compensation that runs.</summary>
    public void Reissue(Ending ending)
    {
        if (ending is not { Current: { } current, Body: { } body })
            return;
        names = new(new(null, current.Names), ending.Own);
        Reissue(workflow.NodeAt(current.Path).Compensate, current.Scope, body);
    }

    private void Within(InnerSequence inner, Action step)
    {
        var outer = names;
        if (inner.Item is { } item)
            names = new(names, ImmutableDictionary<string, Json>.Empty.Add(item.Key, item.Value));
        if (inner.Own is { } own)
            names = new(names, own);
        step();
        names = outer;
    }
}
