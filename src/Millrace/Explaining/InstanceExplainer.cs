using Millrace.Execution;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Explaining;

/// <summary>Draws the picture of a stored instance: its state is rebuilt from the store, as a worker would.</summary>
public sealed class InstanceExplainer
{
    // Of a very long history the picture needs its beginning and its end.
    private const int Oldest = 1000;
    private const int Newest = 5000;

    private readonly InstanceStore instances;
    private readonly WorkflowStore workflows;
    private readonly Rebuilder rebuilder;
    private readonly ItemScopes items;

    internal InstanceExplainer(InstanceStore instances, WorkflowStore workflows, SignalStore signals, ItemScopes items) =>
        (this.instances, this.workflows, rebuilder, this.items) = (instances, workflows, new(instances, signals), items);

    /// <summary>The picture; null where the organisation has no such instance.</summary>
    public async Task<Explanation?> ExplainAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        for (var look = 1; ; look++)
        {
            try
            {
                return await LookAsync(organisation, id, cancel);
            }
            catch (InvalidOperationException) when (look < 3)
            {
                // The instance has parked between the reads, so that they do not belong together.
            }
        }
    }

    private async Task<Explanation?> LookAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        if (await instances.FindAsync(organisation, id, cancel) is not { } instance)
            return null;
        var workflow = await workflows.LoadAsync(organisation, instance.DefinitionHash, cancel);

        // The instance may go on between these reads; history that is newer than the state does no harm, so it comes last.
        var live = instance.Status.IsEnd() ? null : await instances.LiveAsync(organisation, id, cancel);
        var facts = live is null ? FactsOf(instance) : await FactsOf(live, workflow, cancel);
        var state = live is { StartedAt: { } startedAt } ? await StateOf(workflow, organisation, facts, live, startedAt, cancel) : InstanceState.Initial;
        var history = await instances.EdgesAsync(organisation, id, Oldest, Newest, cancel);
        return Explainer.Of(workflow, facts, instance.Status, state, history);
    }

    private static InstanceFacts FactsOf(InstanceView instance) =>
        new(instance.Id, instance.Label, instance.Workflow, instance.Input ?? Json.Null, Json.FromText("{}")) { Entry = instance.Entry };

    private async Task<InstanceFacts> FactsOf(LiveInstance live, Workflow workflow, CancellationToken cancel) =>
        live is { Facts.Entry: not null, Membership: { } membership }
            ? await items.CompleteAsync(live.Facts, membership, workflow, cancel) ?? live.Facts
            : live.Facts;

    private async Task<InstanceState> StateOf(
        Workflow workflow, Guid organisation, InstanceFacts facts, LiveInstance live, DateTimeOffset startedAt, CancellationToken cancel)
    {
        var snapshot = live.Snapshot is null ? InstanceState.Initial : StateJson.Read(live.Snapshot);
        return await rebuilder.RebuildAsync(workflow, facts, organisation, snapshot, startedAt, cancel);
    }
}
