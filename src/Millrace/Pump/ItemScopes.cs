using System.Collections.Concurrent;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What items share, remembered for a while and held once for all of them: siblings are claimed together.</summary>
internal sealed class ItemScopes(ChildStore children)
{
    private readonly ByteCache<Guid, ItemScope> cache = new(32 << 20);
    private readonly ConcurrentDictionary<Guid, Lazy<Task<ItemScope?>>> reading = new();

    /// <summary>The facts of an item; null where its parent has gone.</summary>
    public async Task<InstanceFacts?> CompleteAsync(InstanceFacts facts, Membership membership, Workflow workflow, CancellationToken cancel)
    {
        if (!cache.TryGet(membership.Group, out var scope))
        {
            // Read once for all that ask meanwhile; whoever gives up must not take it from the others.
            var read = reading.GetOrAdd(membership.Group, _ => new(() => ReadAsync(membership)));
            if (await read.Value.WaitAsync(cancel) is not { } found)
                return null;
            scope = found;
        }

        return scope.Apply(facts, (ForEachNode)workflow.NodeAt(facts.Entry!));
    }

    private async Task<ItemScope?> ReadAsync(Membership membership)
    {
        try
        {
            if (await children.ScopeAsync(membership.Parent, membership.Group, CancellationToken.None) is not { } text)
                return null;
            var scope = ItemScope.Read(text);
            // Its text, a copy of each part, and what parsing has made of it.
            cache.Add(membership.Group, scope, 1024 + (4L * text.Utf8.Length));
            return scope;
        }
        finally
        {
            reading.TryRemove(membership.Group, out _);
        }
    }
}
