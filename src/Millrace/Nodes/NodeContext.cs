using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>For whom a node is executed.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Organisation">Whose it is.</param>
/// <param name="MayRepeat">
/// Whether this execution may have been begun before, by a worker that died or was stopped: never for the first attempt
/// at a node of an instance that nobody else has had.
/// </param>
internal sealed record NodeContext(Guid Instance, Guid Organisation, bool MayRepeat)
{
    /// <summary>
    /// The id of an execution's effect, the same for all attempts and for all workers. A SQL node's receipt has it as its
    /// key; receivers of requests and handlers get it as their idempotency key, by which they can tell a second attempt
    /// after a lost answer for what it is. A caller's retry goes on with the same ones.
    /// </summary>
    public static Guid EffectOf(Guid instance, NodeKey key) => HashedId.Of($"{instance:N}{PathScope.EffectOf(key.Path)}#{key.Iteration}");
}
