using System.Collections.Immutable;
using Millrace.Workflows;

namespace Millrace.Execution;

// Conditions, and the node that is nothing but one.
internal sealed partial class Turn
{
    /// <summary>What a condition has come to: an answer, or the question that waits for a statement.</summary>
    private readonly record struct Asked(bool Holds, Question? Waits);

    private Asked Ask(Condition condition, PathScope inner, int attempt, ImmutableDictionary<string, bool> answers)
    {
        var verdict = new ConditionCheck(Templates(attempt), answers).Check(condition);
        if (verdict.Unanswered is not { } statement)
            return new(verdict.Holds, null);
        Give(SqlCommand(statement, inner.Key(statement, 1)));
        return new(false, new(statement.Path, at, answers));
    }

    // Takes in an event that may be the answer to a question: null where it is not, an error where the statement failed.
    private (Asked? Asked, NodeError? Error) Answer(Condition condition, PathScope inner, int attempt, Question question, InstanceEvent happened)
    {
        var key = new NodeKey(inner.Of(question.Path), inner.Iteration, 1);
        switch (happened)
        {
            case NodeCompleted done when done.Key == key:
                Record(key, "sql", NodeStatus.Completed, question.StartedAt, done.Result, null);
                var holds = ConditionCheck.FirstColumnHolds(done.Result);
                return (Ask(condition, inner, attempt, question.Answers.SetItem(question.Path, holds)), null);
            case NodeFailed failed when failed.Key == key:
                var error = new NodeError(failed.Failure.Message, key.Path, "sql", 1, failed.Failure.Code, failed.Failure.Retryable);
                Record(key, "sql", NodeStatus.Failed, question.StartedAt, null, error);
                return (null, error);
            default:
                return (null, null);
        }
    }

    private Progress<Activity> Ask(IfNode node, PathScope scope, NodeFrame frame, ImmutableDictionary<string, bool> answers)
    {
        var inner = scope.Within(node, frame);
        return Branch(node, inner, Ask(node.Condition, inner, frame.Attempt, answers));
    }

    private Progress<Activity> Answer(IfNode node, PathScope scope, NodeFrame frame, Question question, InstanceEvent happened)
    {
        var inner = scope.Within(node, frame);
        return Answer(node.Condition, inner, frame.Attempt, question, happened) switch
        {
            // A retry asks again.
            (_, { } error) => new Failed<Activity>(error, frame.Activity),
            ({ } asked, _) => Branch(node, inner, asked),
            _ => new Active<Activity>(frame.Activity),
        };
    }

    private Progress<Activity> Branch(IfNode node, PathScope inner, Asked asked)
    {
        if (asked.Waits is { } question)
            return new Active<Activity>(new Testing(question));
        return FromBranch(Enter(asked.Holds ? node.Then : node.Else, inner), asked.Holds);
    }

    private Progress<Activity> AdvanceBranch(IfNode node, PathScope inner, Inside inside, InstanceEvent happened) =>
        FromBranch(Advance(inside.Then ? node.Then : node.Else, inner, inside.Body, happened), inside.Then);

    private static Progress<Activity> FromBranch(Progress<SequenceFrame> progress, bool then) =>
        progress.Wrap<Activity>(body => new Inside(then, body));
}
