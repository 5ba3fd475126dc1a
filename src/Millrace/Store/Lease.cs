namespace Millrace.Store;

/// <summary>The right to write to an instance, for as long as the store's row has the same token.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Organisation">Whose it is.</param>
/// <param name="Token">The proof.</param>
/// <param name="StartedAt">When the instance was first claimed.</param>
/// <param name="Membership">As which child; null where nobody waits for the instance.</param>
internal readonly record struct Lease(Guid Instance, Guid Organisation, long Token, DateTimeOffset StartedAt, Membership? Membership = null)
{
    /// <summary>Which lease it is.</summary>
    public LeaseKey Key => new(Instance, Token);
}

/// <summary>
/// The identity of a lease, and of the run that has it. An instance alone is not enough: a process that was stopped for a
/// while may still run under an old lease what it has claimed anew.
/// </summary>
/// <param name="Instance">The instance.</param>
/// <param name="Token">The proof.</param>
internal readonly record struct LeaseKey(Guid Instance, long Token);

/// <summary>A child's place among those that one execution of its parent has started.</summary>
/// <param name="Parent">The parent.</param>
/// <param name="Group">That execution's group.</param>
/// <param name="Place">The child's place in it, from 0.</param>
internal sealed record Membership(Guid Parent, Guid Group, int Place);
