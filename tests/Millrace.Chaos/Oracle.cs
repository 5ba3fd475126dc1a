using System.Text.Json;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Chaos;

/// <summary>
/// Holds a history to what its workflow means. The naive interpreter is told how each execution ended, which signals were
/// received and that the instance was cancelled, and must then execute the same nodes, node for node, and come to the same
/// end. And the machine, which is fed the stored history, must come to the stored end, if it can be fed with all of it.
/// </summary>
internal sealed class Oracle
{
    // What did not end: longer than until the cancel, and that longer than all the waits of a workflow together.
    private static readonly TimeSpan Never = TimeSpan.FromDays(400);
    private static readonly TimeSpan InTheEnd = TimeSpan.FromDays(300);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan AfterSleeps = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, Workflow> workflows = [];

    /// <summary>What is wrong with a history; null where it is allowed.</summary>
    public string? Wrong(Story story)
    {
        if (story.History.GroupBy(execution => execution.Key).FirstOrDefault(group => group.Count() > 1) is { } twice)
            return $"{twice.Key} is twice in the history";
        if (!story.Kind.IsInterpretable)
            return null;
        try
        {
            return Folded(story) ?? Interpreted(story);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            // Of an execution that is not there it has no result to go on with.
            return $"the naive interpreter cannot follow it: {e.Message}";
        }
    }

    private string? Folded(Story story)
    {
        var facts = new InstanceFacts(story.Id, "chaos", story.Kind.Name, story.Input, Json.FromText("{}"));
        var signals = Enumerable.Range(1, 100).Select(number => new Signal(number, "go", Json.FromText("{}"))).ToList();
        try
        {
            var state = Replay.Fold(WorkflowOf(story), facts, InstanceState.Initial, story.StartedAt ?? default, [.. story.Lines.Select(line => line.Line)], signals);
            // That it was cancelled, and when, is no execution.
            return story.Status is InstanceStatus.Cancelled && state.Outcome is null ? null
                : state.Outcome is not { } outcome ? "the machine, fed the history, does not come to an end"
                : outcome.Status != story.Status || outcome.Result?.ToString() != story.Result?.ToString() ? $"the machine, fed the history, comes to {outcome}"
                : null;
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            // A worker that is told to end hands on a state that may know of a time or a signal which no execution tells of, so
            // a history need not lead to its end by itself.
            return null;
        }
    }

    private static string? Interpreted(Story story)
    {
        var ended = Executions(story).ToDictionary(item => item.Key, item => item.Execution);
        var signals = story.History
            .Where(execution => execution is { Kind: "waitForSignal", Status: NodeStatus.Completed } && !execution.Result!.Element.GetProperty("timed_out").GetBoolean())
            .Select(execution => execution.Result!.Element)
            .Select(result => (Moment, result.GetProperty("signal_name").GetString()!, result.GetProperty("data").GetRawText()))
            .ToList();
        // It was cancelled before anything had begun.
        if (story.Status is InstanceStatus.Cancelled && story.Lines.Count == 0)
            return null;
        var sleeps = story.History.Where(execution => execution is { Kind: "sleep", Status: NodeStatus.Completed }).ToList();
        string? first = null;
        foreach (var cancelAt in CancelTimes(story, ended.Count))
        {
            var said = new NaiveInterpreter(
                    (key, _) => ended.TryGetValue(key, out var execution) ? EndOf(execution) : NodeEvent.Of("null"),
                    key => ended.TryGetValue(key, out var execution) ? DurationOf(execution, sleeps) : Never)
                .Run(story.Kind.Definition, signals, cancelAt);
            if (Difference(story, said, [.. ended.Keys]) is not { } difference)
                return null;
            first ??= difference;
        }

        return first;
    }

    // What matters is which came first: what was still being executed when a sleep ended takes longer than the sleep.
    private static TimeSpan DurationOf(NodeExecution execution, List<NodeExecution> sleeps) => execution.Status is NodeStatus.Cancelled ? Never
        : sleeps.Exists(sleep => sleep.Ordinal < execution.Ordinal && sleep.EndedAt >= execution.StartedAt && sleep.StartedAt <= execution.StartedAt) ? AfterSleeps
        : Moment;

    // When exactly a cancel was taken in is up to the instance's worker: at any time before a node began, while one was
    // being executed, or when there was nothing more to execute.
    private static IEnumerable<TimeSpan?> CancelTimes(Story story, int executions) => story.Status is InstanceStatus.Cancelled
        ? [InTheEnd, .. Enumerable.Range(0, executions + 1).SelectMany(number => new TimeSpan?[] { Moment * number, Moment * (number + 0.5) })]
        : [null];

    private static string? Difference(Story story, Interpretation said, List<string> executed)
    {
        if (said.Status != story.Status)
            return $"the naive interpreter comes to {said.Status?.Name() ?? "an endless wait"}, having executed {string.Join(' ', said.Begun.Select(item => item.Key))}";
        var error = story.Error is { Path: { } path, Kind: var kind } && story.Status is InstanceStatus.Failed ? $"{path} {kind}" : null;
        if (said.Error != error || said.Result != story.Result?.ToString())
            return $"the naive interpreter comes to {said.Error} {said.Result}";
        var begun = said.Begun.Select(item => item.Key).ToList();
        return begun.Order(StringComparer.Ordinal).SequenceEqual(executed.Order(StringComparer.Ordinal))
            ? null
            : $"only the naive interpreter executes {string.Join(' ', begun.Except(executed))}; only the history has {string.Join(' ', executed.Except(begun))}";
    }

    private static IEnumerable<(string Key, NodeExecution Execution)> Executions(Story story)
    {
        foreach (var execution in story.History.Where(execution => IsOutside(execution) || (execution.Kind is "forEach" && story.Kind is Kinds.Spread)))
            yield return (KeyOf(execution.Key.Path, execution), execution);
    }

    // Spread items are instances of their own: to the one that spreads them they are one execution.
    private static bool IsOutside(NodeExecution execution) => execution.Kind is "sql" or "http" or "call" or "run";

    private static string KeyOf(string path, NodeExecution execution) => $"{path}#{execution.Key.Iteration}#{execution.Key.Attempt}";

    // What was given up before it had begun has done nothing that could have to be undone.
    private static NodeEvent EndOf(NodeExecution execution) => execution.Status is NodeStatus.Cancelled ? NodeEvent.Fails("given up", retryable: false)
        : execution.Error is { } error
        ? NodeEvent.Fails(error.Message, error.Retryable)
        : new(execution.Result ?? Json.Null, null);

    private Workflow WorkflowOf(Story story)
    {
        if (!workflows.TryGetValue(story.Kind.Name, out var workflow))
        {
            if (!WorkflowReader.TryRead(JsonElement.Parse(story.Kind.Definition), new LimitOptions(), out workflow, out _))
                throw new InvalidOperationException($"The definition of {story.Kind.Name} is wrong.");
            workflows[story.Kind.Name] = workflow!;
        }

        return workflow!;
    }
}
