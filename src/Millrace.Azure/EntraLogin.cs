using Azure.Core;
using Azure.Identity;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Store;

namespace Millrace.Azure;

/// <summary>
/// Logs in to Azure Database for PostgreSQL with tokens of a Microsoft Entra identity in place of passwords: a managed
/// identity where its client id is given (<c>Millrace:Entra:ClientId</c>), else whoever is signed in here.
/// </summary>
public sealed class EntraLogin(TokenCredential credential) : IDatabaseLogin
{
    // The audience of all open-source databases on Azure.
    internal static readonly string[] Scopes = ["https://ossrdbms-aad.database.windows.net/.default"];

    /// <inheritdoc/>
    public async ValueTask<string> PasswordAsync(CancellationToken cancel) =>
        (await credential.GetTokenAsync(new TokenRequestContext(Scopes), cancel)).Token;
}

/// <summary>Puts it into a host.</summary>
public static class EntraRegistration
{
    /// <summary>Adds the log-in where <c>Millrace:Entra:Enabled</c> is set.</summary>
    public static IServiceCollection AddEntraLogin(this IServiceCollection services, IConfiguration configuration)
    {
        if (!configuration.GetValue<bool>("Millrace:Entra:Enabled"))
            return services;
        var client = configuration["Millrace:Entra:ClientId"];
        return services.AddSingleton<IDatabaseLogin>(_ => new EntraLogin(string.IsNullOrEmpty(client)
            ? new DefaultAzureCredential()
            : new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(client))));
    }
}
