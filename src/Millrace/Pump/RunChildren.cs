using Millrace.Execution;
using Millrace.Faults;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>The child instances of one run: starts them, and sees how they have ended.</summary>
internal sealed class RunChildren(ClaimedInstance claim, RunServices services)
{
    /// <summary>Starts children; the execution has no end yet where theirs are to be waited for.</summary>
    public Task<ExecutionEnd> StartAsync(InstanceFacts facts, StartChildren command, CancellationToken cancel) =>
        services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, token) => StartOnceAsync(facts, command, token), cancel);

    /// <summary>The ends of nodes whose children have ended, and the first node of which that cannot be read.</summary>
    public async Task<(IReadOnlyList<InstanceEvent> Ends, (NodeKey Key, Exception Error)? Broken)> EndsAsync(Journal journal, CancellationToken cancel)
    {
        (NodeKey, Exception)? broken = null;
        var waiting = ActivePath.Of(journal.Workflow, journal.Facts, journal.State).Where(active => active.Frame.Activity is AwaitingChildren).ToList();
        var ends = new List<InstanceEvent>();
        if (waiting.Count > 0)
        {
            var groups = await services.Children.StandingAsync(claim.Id, [.. waiting.Select(active => ChildStore.GroupOf(claim.Id, active.Key))], cancel);
            foreach (var active in waiting)
            {
                var group = ChildStore.GroupOf(claim.Id, active.Key);
                if (!groups.TryGetValue(group, out var stands))
                {
                    // Only the holder of the lease starts children, and none where nobody waits for them any more.
                    if (journal.Unwanted().Contains(active.Key))
                        ends.Add(new NodeFailed(services.Clock.Now, active.Key, Turn.Unbegun));
                }
                else
                {
                    try
                    {
                        if (await EndAsync(active, group, stands, cancel) is { } end)
                            ends.Add(end);
                    }
                    catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException) && !StoreFaults.IsPassing(e))
                    {
                        broken ??= (active.Key, e);
                    }
                }
            }
        }

        return (ends, broken);
    }

    private async Task<InstanceEvent?> EndAsync(ActiveNode active, Guid group, GroupStanding standing, CancellationToken cancel)
    {
        if (standing.Failed)
            return new NodeFailed(services.Clock.Now, active.Key, FailureOf(active.Node, await services.Children.FailureAsync(claim.Id, group, cancel)));
        if (standing.Remaining > 0)
            return null;
        var found = await services.Children.ResultsAsync(claim.Id, group, services.Limits.ResultBytes, cancel);
        if (found.Results is not { } results)
            return new NodeFailed(services.Clock.Now, active.Key, TooLarge(active.Node, found));
        return new NodeCompleted(services.Clock.Now, active.Key, active.Node is RunNode ? results[0] : Json.ArrayOf(results));
    }

    // As the array would be: with its brackets and commas.
    private NodeFailure TooLarge(Node node, GroupResults found) => new(
        $"the result takes {(node is RunNode ? found.Bytes : found.Bytes + found.Count + 1):N0} bytes; at most {services.Limits.ResultBytes:N0} are allowed",
        "result_too_large", Retryable: false);

    private async Task<ExecutionEnd> StartOnceAsync(InstanceFacts facts, StartChildren command, CancellationToken cancel)
    {
        var (start, failure) = command.Node is RunNode run
            ? await OfWorkflowAsync(run, facts, command, cancel)
            : TooManyItems(command) is { } tooMany ? (null, tooMany) : (OfItems((ForEachNode)command.Node, facts, command), null);
        if (start is null)
            return new(failure!);
        var counted = await services.Children.StartAsync(start, cancel);
        // Whoever takes the parent over asks again, and starts nothing.
        services.Relay.Wake(InstanceId.BucketOf(claim.Id), newlyReady: counted is null ? 0 : Math.Min(start.Inputs.Count, start.Limit));
        if (command.IsDetached)
            return new(IdOf(await services.Children.FirstAsync(claim.Id, ChildStore.GroupOf(claim.Id, command.Key), cancel)));
        return new(null, counted);
    }

    private async Task<(ChildStart? Start, NodeFailure? Failure)> OfWorkflowAsync(
        RunNode run, InstanceFacts facts, StartChildren command, CancellationToken cancel)
    {
        if (await services.Workflows.FindAsync(claim.Organisation, run.Workflow, null, cancel) is not { } workflow)
            return (null, new($"there is no workflow named \"{run.Workflow}\"", "no_workflow", Retryable: false));
        if (run.Wait && TooDeep() is { } tooDeep)
            return (null, tooDeep);
        if (command.Inputs[0].Utf8.Length > services.Limits.InputBytes)
            return (null, new($"the input takes {command.Inputs[0].Utf8.Length:N0} bytes; at most {services.Limits.InputBytes:N0} are allowed", "input", Retryable: false));
        return (new(
            claim.Lease, command.Key, null, workflow.Hash, run.Workflow, workflow.Version, claim.Priority, facts.Variables, null,
            (short)(run.Wait ? claim.Depth + 1 : 0), run.Wait, 1, null, command.Inputs), null);
    }

    private ChildStart OfItems(ForEachNode node, InstanceFacts facts, StartChildren command) => new(
        claim.Lease, command.Key, command.Resumes, claim.DefinitionHash, claim.Workflow, claim.Version, claim.Priority, Json.FromText("{}"),
        node.Path, (short)(claim.Depth + 1), true, node.Concurrency ?? int.MaxValue, ItemScope.Write(facts, command.Names), command.Inputs);

    private NodeFailure? TooManyItems(StartChildren command) => command.Inputs.Length <= services.Limits.SpreadItems
        ? null
        : new($"the list has {command.Inputs.Length:N0} items; a forEach with spread may have {services.Limits.SpreadItems:N0} (Millrace:Limits:SpreadItems)", "too_many_items", Retryable: false);

    private NodeFailure? TooDeep() => claim.Depth < services.Limits.RunDepth
        ? null
        : new($"workflows start each other more than {services.Limits.RunDepth} deep", "too_deep", Retryable: false);

    private static NodeFailure FailureOf(Node node, FailedChild child)
    {
        var what = node is RunNode run ? $"instance {child.Id} of workflow \"{run.Workflow}\"" : $"item {child.Place} (instance {child.Id})";
        var (how, code) = child.Status is InstanceStatus.Cancelled ? ("was cancelled", "child_cancelled") : ("failed", "child_failed");
        var where = child.Error is { Path: { } path, Kind: { } kind } ? $" at {path} ({kind}, attempt {child.Error.Attempt})" : "";
        return new($"{what} {how}{where}: {child.Error?.Message}", child.Error?.Code is { } cause and not "cancelled" ? cause : code);
    }

    private static Json IdOf(Guid? id) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("id", id!.Value);
        writer.WriteEndObject();
    });
}
