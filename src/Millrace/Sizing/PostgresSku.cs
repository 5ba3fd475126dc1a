namespace Millrace.Sizing;

/// <summary>A size of Azure Database for PostgreSQL flexible server.</summary>
/// <param name="Name">Its name in <c>Millrace:Sizing:Postgres</c>.</param>
/// <param name="ArmName">Its name in a deployment.</param>
/// <param name="Tier">Its tier in a deployment.</param>
/// <param name="MaxConnections">Its <c>max_connections</c>.</param>
/// <param name="Host">The size of instances that suits it.</param>
/// <param name="Instances">How many of those a group of functions should grow to at the most.</param>
/// <remarks>
/// Connections: <see href="https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-limits">limits of flexible
/// server</see>; fifteen of them are the service's own.
/// </remarks>
public sealed record PostgresSku(string Name, string ArmName, string Tier, int MaxConnections, string Host, int Instances)
{
    /// <summary>How many connections the service keeps to itself.</summary>
    public const int Reserved = 15;

    /// <summary>All of them, the smallest first.</summary>
    public static IReadOnlyList<PostgresSku> All { get; } =
    [
        new("B1ms", "Standard_B1ms", "Burstable", 50, "flex-512", 1),
        new("B2s", "Standard_B2s", "Burstable", 429, "flex-2048", 6),
        new("D2ds_v5", "Standard_D2ds_v5", "GeneralPurpose", 859, "flex-2048", 12),
        new("D4ds_v5", "Standard_D4ds_v5", "GeneralPurpose", 1718, "flex-2048", 20),
        new("D8ds_v5", "Standard_D8ds_v5", "GeneralPurpose", 3437, "flex-4096", 40),
        new("D16ds_v5", "Standard_D16ds_v5", "GeneralPurpose", 5000, "flex-4096", 60),
    ];

    /// <summary>How many connections users have.</summary>
    public int Available => MaxConnections - Reserved;
}
