using System.Collections.Concurrent;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What items share, remembered for a while: siblings are claimed together.</summary>
internal sealed class ItemScopes(ChildStore children)
{
    private const int Remembered = 64;
    private readonly ConcurrentDictionary<Guid, Json> cache = new();

    /// <summary>The facts of an item; null where its parent has ended.</summary>
    public async Task<InstanceFacts?> CompleteAsync(InstanceFacts facts, Membership membership, Workflow workflow, CancellationToken cancel)
    {
        if (!cache.TryGetValue(membership.Group, out var scope))
        {
            scope = await children.ScopeAsync(membership.Parent, membership.Group, cancel);
            if (scope is null)
                return null;
            if (cache.Count >= Remembered)
                cache.Clear();
            cache[membership.Group] = scope;
        }

        return ItemScope.Apply(scope, facts, (ForEachNode)workflow.NodeAt(facts.Entry!));
    }
}
