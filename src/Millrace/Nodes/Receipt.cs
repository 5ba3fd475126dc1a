using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>What is written with a statement's effects, in its own transaction, so that they happen once.</summary>
/// <param name="Effect">Its key.</param>
/// <param name="Context">Whose it is.</param>
/// <param name="Key">Which execution.</param>
internal sealed record Receipt(Guid Effect, NodeContext Context, NodeKey Key)
{
    public static Receipt Of(NodeContext context, NodeKey key) => new(NodeContext.EffectOf(context.Instance, key), context, key);
}

/// <summary>A receipt that is old enough to go.</summary>
internal sealed record OldReceipt(Guid Effect, short Bucket, Guid Organisation, Guid Instance, string Path, int Iteration, DateTime CreatedAt);
