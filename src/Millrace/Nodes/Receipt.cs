using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>What is written with a statement's effects, in its own transaction, so that they happen once.</summary>
/// <param name="Id">Its key.</param>
/// <param name="IsKeyed">Whether only the store's own processes can know that.</param>
/// <param name="Context">Whose it is.</param>
/// <param name="Key">Which execution.</param>
internal sealed record Receipt(Guid Id, bool IsKeyed, NodeContext Context, NodeKey Key);

/// <summary>A receipt that is old enough to go.</summary>
internal sealed record OldReceipt(Guid Id, short Bucket, Guid Organisation, Guid Instance, string Path, int Iteration, DateTime CreatedAt);
