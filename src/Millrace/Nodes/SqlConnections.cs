using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>A named connection: a pool of its own, and a queue for its places.</summary>
internal sealed record SqlConnection(NpgsqlDataSource Source, SemaphoreSlim Places);

/// <summary>The named connections. Each has its own login, so what a statement may do is what its login may do.</summary>
internal sealed class SqlConnections : IAsyncDisposable
{
    private const string Default = "default";
    private readonly MillraceOptions settings;
    private readonly ConcurrentDictionary<string, Lazy<SqlConnection>> open = new(StringComparer.Ordinal);

    public SqlConnections(IOptions<MillraceOptions> options)
    {
        NpgsqlBehaviour.Apply();
        settings = options.Value;
        ConnectionStrings.Check(settings);
    }

    /// <summary>A connection by name, null meaning the default one; null where there is none of that name.</summary>
    public SqlConnection? Find(string? name)
    {
        name ??= Default;
        var text = settings.Connections.GetValueOrDefault(name) ?? (name == Default ? settings.ConnectionString : null);
        return text is null ? null : open.GetOrAdd(name, _ => new(() => Open(text))).Value;
    }

    /// <summary>The names that <see cref="Find"/> knows.</summary>
    public IEnumerable<string> Names => settings.Connections.Keys.Append(Default).Distinct();

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in open.Values.Where(connection => connection.IsValueCreated))
        {
            await connection.Value.Source.DisposeAsync();
            connection.Value.Places.Dispose();
        }
    }

    private SqlConnection Open(string text)
    {
        var builder = new NpgsqlConnectionStringBuilder(text)
        {
            ApplicationName = "millrace-sql",
            MaxPoolSize = settings.Sql.PoolSize,
            Timezone = "UTC",
            Timeout = 10,
        };

        // A transaction pooler, which "No Reset On Close" announces, keeps no prepared statements and takes no options.
        if (!builder.NoResetOnClose)
        {
            (builder.MaxAutoPrepare, builder.AutoPrepareMinUsages) = (50, 3);
            builder.Options = $"{builder.Options} -c statement_timeout={(long)settings.Sql.Timeout.TotalMilliseconds}".TrimStart();
        }

        return new(NpgsqlDataSource.Create(builder), new(settings.Sql.PoolSize));
    }
}
