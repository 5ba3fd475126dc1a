namespace Millrace.Sizing;

/// <summary>A size of the function app's instances, and what one process of that size works with.</summary>
/// <param name="Name">Its name in <c>Millrace:Sizing:Sku</c>.</param>
/// <param name="MemoryMB">The memory of an instance.</param>
/// <param name="Cores">Its share of processors.</param>
/// <param name="StorePool"><c>Millrace:Store:PoolSize</c></param>
/// <param name="BatchPool"><c>Millrace:Store:BatchPoolSize</c></param>
/// <param name="MatchPool"><c>Millrace:Store:MatchPoolSize</c></param>
/// <param name="SqlPool"><c>Millrace:Sql:PoolSize</c></param>
/// <param name="ClaimBatch"><c>Millrace:Pump:ClaimBatch</c></param>
/// <param name="MaxInstances"><c>Millrace:Pump:MaxInstances</c></param>
/// <param name="MaxStateMB"><c>Millrace:Pump:MaxStateBytes</c>, in MiB.</param>
public sealed record HostSku(
    string Name, int MemoryMB, double Cores, int StorePool, int BatchPool, int MatchPool, int SqlPool, int ClaimBatch, int MaxInstances, int MaxStateMB)
{
    /// <summary>All of them, the smallest first.</summary>
    public static IReadOnlyList<HostSku> All { get; } =
    [
        new("flex-512", 512, 0.25, StorePool: 3, BatchPool: 1, MatchPool: 1, SqlPool: 3, ClaimBatch: 50, MaxInstances: 100, MaxStateMB: 32),
        new("flex-2048", 2048, 1, StorePool: 8, BatchPool: 3, MatchPool: 2, SqlPool: 8, ClaimBatch: 200, MaxInstances: 500, MaxStateMB: 256),
        new("flex-4096", 4096, 2, StorePool: 10, BatchPool: 4, MatchPool: 4, SqlPool: 18, ClaimBatch: 500, MaxInstances: 2000, MaxStateMB: 512),
    ];
}
