using Npgsql;

namespace Millrace.Store;

/// <summary>Gives the password of connection strings that have none, where it changes while the process runs.</summary>
public interface IDatabaseLogin
{
    /// <summary>The password of the next half hour.</summary>
    ValueTask<string> PasswordAsync(CancellationToken cancel);
}

/// <summary>Makes pools.</summary>
public static class DataSources
{
    // Tokens hold for an hour at the least.
    private static readonly TimeSpan Renewed = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan TriedAgain = TimeSpan.FromSeconds(5);

    /// <summary>A pool; nothing is connected yet.</summary>
    /// <param name="connectionString">To what.</param>
    /// <param name="login">Who gives the password where the connection string has none; null for nobody.</param>
    public static NpgsqlDataSource Create(string connectionString, IDatabaseLogin? login)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        if (login is not null && string.IsNullOrEmpty(builder.ConnectionStringBuilder.Password))
            builder.UsePeriodicPasswordProvider((_, cancel) => login.PasswordAsync(cancel), Renewed, TriedAgain);
        return builder.Build();
    }
}
