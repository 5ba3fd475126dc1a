namespace Millrace.Store;

/// <summary>The right to write to an instance, for as long as the store's row has the same token.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Organisation">Whose it is.</param>
/// <param name="Token">The proof.</param>
/// <param name="StartedAt">When the instance was first claimed.</param>
internal readonly record struct Lease(Guid Instance, Guid Organisation, long Token, DateTimeOffset StartedAt);
