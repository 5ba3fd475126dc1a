using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>The child instances of one run: starts them, and sees how they have ended.</summary>
internal sealed class RunChildren(ClaimedInstance claim, RunServices services)
{
    private long seen = claim.Standing.ChildEnds;
    private volatile bool looked;

    /// <summary>How many ends have been looked at.</summary>
    public long Seen => Interlocked.Read(ref seen);

    /// <summary>Whether the instance has, or had, any.</summary>
    public bool HadAny { get; private set; } = claim.Standing.ChildEnds > 0;

    /// <summary>Starts children; null where their end is to be waited for.</summary>
    public Task<NodeEnd?> StartAsync(InstanceFacts facts, StartChildren command, CancellationToken cancel)
    {
        HadAny = true;
        return services.Patience.RideOutAsync(Timeout.InfiniteTimeSpan, (_, token) => StartOnceAsync(facts, command, token), cancel);
    }

    /// <summary>Whether there may be ends that have not been looked at.</summary>
    public bool HasNews(Standing standing) => HadAny && (!looked || standing.ChildEnds > Seen);

    /// <summary>The ends of nodes whose children have ended.</summary>
    public async Task<IReadOnlyList<InstanceEvent>> EndsAsync(Workflow workflow, InstanceFacts facts, InstanceState state, Standing standing, CancellationToken cancel)
    {
        var waiting = ActivePath.Of(workflow, facts, state).Where(active => active.Frame.Activity is AwaitingChildren).ToList();
        var ends = new List<InstanceEvent>();
        if (waiting.Count > 0)
        {
            var groups = await services.Children.StandingAsync(claim.Id, [.. waiting.Select(active => ChildStore.GroupOf(claim.Id, active.Key))], cancel);
            foreach (var active in waiting)
            {
                var group = ChildStore.GroupOf(claim.Id, active.Key);
                if (groups.TryGetValue(group, out var stands) && await EndAsync(active, group, stands, cancel) is { } end)
                    ends.Add(end);
            }
        }


        looked = true;
        Interlocked.Exchange(ref seen, Math.Max(Seen, standing.ChildEnds));
        return ends;
    }

    private async Task<InstanceEvent?> EndAsync(ActiveNode active, Guid group, GroupStanding standing, CancellationToken cancel)
    {
        if (standing.Failed)
            return new NodeFailed(services.Clock.Now, active.Key, FailureOf(active.Node, await services.Children.FailureAsync(claim.Id, group, cancel)));
        if (standing.Remaining > 0)
            return null;
        var results = await services.Children.ResultsAsync(claim.Id, group, cancel);
        return new NodeCompleted(services.Clock.Now, active.Key, active.Node is RunNode ? results[0] : Json.ArrayOf(results));
    }

    private async Task<NodeEnd?> StartOnceAsync(InstanceFacts facts, StartChildren command, CancellationToken cancel)
    {
        var (start, failure) = command.Node is RunNode run
            ? await OfWorkflowAsync(run, facts, command, cancel)
            : (OfItems((ForEachNode)command.Node, facts, command), null);
        if (start is null)
            return failure!;
        var counted = await services.Children.StartAsync(start, cancel);
        // The start itself counts as news, which is none to us, unless something else came before it.
        if (counted is { } count)
            Interlocked.CompareExchange(ref seen, count, count - 1);
        // Whoever takes the parent over asks again, and starts nothing.
        services.Relay.Wake(InstanceId.BucketOf(claim.Id), newlyReady: counted is null ? 0 : Math.Min(start.Inputs.Count, start.Limit));
        if (command.IsDetached)
            return IdOf(await services.Children.FirstAsync(claim.Id, ChildStore.GroupOf(claim.Id, command.Key), cancel));
        // All of them may have been taken over from an earlier attempt, and then no end will come.
        looked = false;
        return null;
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
