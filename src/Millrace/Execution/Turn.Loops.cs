using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// Loops and items. Both can go on without anything outside; a decision stops them after a while.
internal sealed partial class Turn
{
    // One turn after the other: its nodes, then the condition. An event is for whatever is active when it comes in.
    private Progress<Activity> Loop(LoopNode node, PathScope scope, NodeFrame frame, Looping looping, InstanceEvent? happened)
    {
        if (happened is not (null or TimerDue) && looping.RestingSince is not null)
            return new Active<Activity>(looping);
        while (true)
        {
            var inner = scope.WithinTurn(node, frame, looping.Turn);
            // After a retry of a condition that had failed, the turn's nodes have ended.
            if (looping is { Body: not null } or { Last: null })
            {
                switch (Step(node.Nodes, inner, looping.Body, happened))
                {
                    case Completed<SequenceFrame> { Result: var last }:
                        looping = looping with { Body = null, Last = last };
                        break;
                    case Broke<SequenceFrame> { Result: var value }:
                        return new Completed<Activity>(value);
                    case var progress:
                        return progress.Wrap<Activity>(body => looping with { Body = body, RestingSince = null });
                }
            }

            looping = looping with { RestingSince = null };
            var (answer, error) = WhetherToGoOn(node, scope, frame, looping, happened);
            if (error is not null)
                return new Failed<Activity>(error, looping);
            if (answer is not { } asked)
                return new Active<Activity>(looping);
            if (asked.Waits is { } waits)
                return new Active<Activity>(looping with { Question = waits });
            if (!asked.Holds || looping.Turn + 1 >= node.Max)
                return new Completed<Activity>(looping.Last!);
            looping = new(looping.Turn + 1, null, null, null, null);
            happened = null;
            if (--room <= 0)
                return new Active<Activity>(looping with { RestingSince = at });
        }
    }

    // Asks the condition, or takes in an event that may be the answer to it; an error where it cannot be said.
    private (Asked? Asked, NodeError? Error) WhetherToGoOn(LoopNode node, PathScope scope, NodeFrame frame, Looping looping, InstanceEvent? happened)
    {
        var inner = scope.WithinTurn(node, frame, looping.Turn);
        try
        {
            if (looping.Question is { } question)
                return Answer(node.While!, inner, frame.Attempt, question, happened!);
            return (node.While is { } condition ? Ask(condition, inner, frame.Attempt, ImmutableDictionary<string, bool>.Empty) : new(true, null), null);
        }
        catch (TemplateException e)
        {
            return (null, ErrorOf(node, scope, frame.Attempt, new(e.Message, e.Code, Retryable: false)));
        }
    }

    private Progress<Activity> StartItems(ForEachNode node, PathScope scope, NodeFrame frame)
    {
        var items = Templates(frame.Attempt).Value(node.Items);
        if (items.Element.ValueKind is not JsonValueKind.Array)
            throw new TemplateException($"a forEach goes over a list, not over {ObjectReader.Name(items.Element)}");
        if (items.Element.GetArrayLength() == 0)
            return new Completed<Activity>(items);
        return node.Spread
            ? SpreadItems(node, scope, frame, items)
            : AdvanceItems(node, scope, frame, new(items, 0, ImmutableSortedDictionary<int, ScopedFrame>.Empty, ImmutableSortedDictionary<int, Json>.Empty, null), null);
    }

    private Active<Activity> SpreadItems(ForEachNode node, PathScope scope, NodeFrame frame, Json items)
    {
        var reads = Workflow.ReadBy(node.Do).Where(name => name != node.Item);
        // The attempt after a caller's retry takes over what the one before has achieved.
        var resumes = frame.Forgiven > 0 && frame.Attempt == frame.Forgiven + 1 ? scope.Key(node, frame.Forgiven) : (NodeKey?)null;
        Give(new StartChildren(
            scope.Key(node, frame.Attempt), node, [.. items.Element.EnumerateArray().Select(Json.From)], names.Take(reads), resumes));
        return new(AwaitingChildren.Instance);
    }

    private Progress<Activity> AdvanceItems(ForEachNode node, PathScope scope, NodeFrame frame, Iterating iterating, InstanceEvent? happened)
    {
        foreach (var (index, item) in iterating.Active)
        {
            if (StepItem(node, scope, frame, ref iterating, index, item, happened) is { } end)
                return end;
        }

        // New items take the places of those that have ended.
        var total = iterating.Items.Element.GetArrayLength();
        iterating = iterating with { RestingSince = null };
        while (iterating.Next < total && iterating.Active.Count < (node.Concurrency ?? ForEachNode.DefaultConcurrency))
        {
            if (--room < 0)
                return new Active<Activity>(iterating with { RestingSince = at });
            var index = iterating.Next;
            iterating = iterating with { Next = index + 1 };
            if (StepItem(node, scope, frame, ref iterating, index, ScopedFrame.NotBegun, null) is { } end)
                return end;
        }

        return iterating.Active.IsEmpty
            ? new Completed<Activity>(Json.ArrayOf(iterating.Results.Values))
            : new Active<Activity>(iterating);
    }

    // Takes one item a step further; an end is the end of the whole node.
    private Progress<Activity>? StepItem(
        ForEachNode node, PathScope scope, NodeFrame frame, ref Iterating iterating, int index, ScopedFrame item, InstanceEvent? happened)
    {
        var inner = scope.WithinItem(node, frame, index);
        var value = Json.From(iterating.Items.Element[index]);
        var named = ImmutableDictionary<string, Json>.Empty.Add(node.Item, value);
        var ((progress, own), _) = Scoped(named, () => Scoped(item.Own, () => Step(node.Do, inner, item.Body, happened)));
        if (progress is Completed<SequenceFrame> { Result: var result })
        {
            iterating = iterating with { Active = iterating.Active.Remove(index), Results = iterating.Results.Add(index, result) };
            return null;
        }

        var standing = iterating with { Active = iterating.Active.SetItem(index, Standing(item, progress, own)) };
        iterating = standing;
        if (progress is Active<SequenceFrame>)
            return null;

        foreach (var other in InnerSequence.Of(node, scope, frame with { Activity = iterating with { Active = iterating.Active.Remove(index) } }))
            Drop(other);
        return progress.Wrap<Activity>(_ => standing);
    }
}
