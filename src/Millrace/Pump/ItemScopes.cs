using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What items share, remembered for a while and held once for all of them: siblings are claimed together.</summary>
internal sealed class ItemScopes(ChildStore children)
{
    private readonly ByteCache<Guid, ItemScope> cache = new(32 << 20);

    /// <summary>The facts of an item; null where its parent has ended.</summary>
    public async Task<InstanceFacts?> CompleteAsync(InstanceFacts facts, Membership membership, Workflow workflow, CancellationToken cancel)
    {
        if (!cache.TryGet(membership.Group, out var scope))
        {
            if (await children.ScopeAsync(membership.Parent, membership.Group, cancel) is not { } text)
                return null;
            scope = ItemScope.Read(text);
            // Its text, a copy of each part, and what parsing has made of it.
            cache.Add(membership.Group, scope, 1024 + (4L * text.Utf8.Length));
        }

        return scope.Apply(facts, (ForEachNode)workflow.NodeAt(facts.Entry!));
    }
}
