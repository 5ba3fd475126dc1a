using Millrace.Execution;
using Millrace.Store;
using Millrace.Workflows;

namespace Millrace.Explaining;

/// <summary>Draws the picture of a stored instance: its state is rebuilt from the store, as a worker would.</summary>
public sealed class InstanceExplainer(InstanceStore instances, WorkflowStore workflows)
{
    /// <summary>The picture; null where the organisation has no such instance.</summary>
    public async Task<Explanation?> ExplainAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        if (await instances.FindAsync(organisation, id, cancel) is not { } instance)
            return null;
        var workflow = await workflows.LoadAsync(organisation, instance.DefinitionHash, cancel);

        // The instance may go on between these reads; history that is newer than the state does no harm, so it comes last.
        var live = instance.Status.IsEnd() ? null : await instances.LiveAsync(organisation, id, cancel);
        var history = (await instances.HistoryAsync(organisation, id, 0, int.MaxValue, cancel)).Select(view => view.Execution).ToList();
        var state = live is { StartedAt: { } startedAt } ? StateOf(workflow, live, startedAt, history) : InstanceState.Initial;
        return Explainer.Of(workflow, instance.Status, state, history);
    }

    private static InstanceState StateOf(Workflow workflow, LiveInstance live, DateTimeOffset startedAt, List<NodeExecution> history)
    {
        var snapshot = live.Snapshot is null ? InstanceState.Initial : StateJson.Read(live.Snapshot);
        return Replay.Fold(workflow, live.Facts, snapshot, startedAt, history);
    }
}
