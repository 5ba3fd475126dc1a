namespace Millrace.Configuration;

/// <summary>Log-ins with a Microsoft Entra identity (<c>Millrace:Entra</c>), for Azure Database for PostgreSQL.</summary>
public sealed class EntraOptions
{
    /// <summary>Whether connection strings without a password log in with a token of this process's identity.</summary>
    public bool Enabled { get; set; }

    /// <summary>The client id of a user-assigned managed identity. Absent: whoever is signed in where the process runs.</summary>
    public string? ClientId { get; set; }
}
