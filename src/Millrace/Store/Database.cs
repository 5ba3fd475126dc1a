using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Npgsql;

namespace Millrace.Store;

/// <summary>The connections to the store.</summary>
public sealed class Database : IAsyncDisposable, IDisposable
{
    static Database() => NpgsqlBehaviour.Apply();

    /// <summary>Makes a pool; nothing is connected yet.</summary>
    public Database(IOptions<MillraceOptions> options)
    {
        var settings = options.Value;
        if (string.IsNullOrWhiteSpace(settings.ConnectionString))
            throw new SettingException("Millrace:ConnectionString", "is missing: the store needs a PostgreSQL database");

        Source = NpgsqlDataSource.Create(Complete(settings.ConnectionString, settings.Store.PoolSize));
        Buckets = settings.Store.Buckets;
    }

    /// <summary>The pool.</summary>
    public NpgsqlDataSource Source { get; }

    /// <summary>How many buckets new instances are spread over.</summary>
    public int Buckets { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Source.DisposeAsync();

    /// <inheritdoc/>
    public void Dispose() => Source.Dispose();

    // What the operator has written into the connection string wins.
    private static string Complete(string text, int poolSize)
    {
        var builder = ConnectionStrings.Parse("Millrace:ConnectionString", text);
        var given = new HashSet<string>(builder.Keys.Cast<string>(), StringComparer.OrdinalIgnoreCase);
        if (!given.Contains("Application Name"))
            builder.ApplicationName = "millrace";
        if (!given.Contains("Maximum Pool Size"))
            builder.MaxPoolSize = poolSize;
        if (!given.Contains("Timeout"))
            builder.Timeout = 5;
        if (!given.Contains("Max Auto Prepare"))
            builder.MaxAutoPrepare = 40;
        if (!given.Contains("Auto Prepare Min Usages"))
            builder.AutoPrepareMinUsages = 2;
        return builder.ConnectionString;
    }
}
