using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>A named connection: a pool of its own, a queue for its places, and what is known of its database.</summary>
/// <param name="Source">The pool.</param>
/// <param name="Places">As many as the pool has.</param>
/// <param name="IsPooled">Whether a transaction pooler stands in between, whose sessions take no settings of ours.</param>
internal sealed record SqlConnection(NpgsqlDataSource Source, SemaphoreSlim Places, bool IsPooled)
{
    /// <summary>How long a statement may take by the sessions' own limit.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>
    /// How long a transaction may stay open between two messages of ours, which follow each other at once: a worker that
    /// is stopped in between must not hold its rows against the one that takes over.
    /// </summary>
    public required TimeSpan IdleInTransaction { get; init; }

    /// <summary>Where receipts are kept.</summary>
    public ReceiptTable Receipts { get; } = new();

    /// <summary>What has been seen of the statements.</summary>
    public StatementHabits Habits { get; } = new();

    /// <summary>Finds dead connections; null behind a pooler, whose sessions are not the server's.</summary>
    public SessionWatch? Watch { get; init; }

    /// <summary>Lets quick reads share sessions.</summary>
    public ReadPipeline? Pipeline { get; set; }
}

/// <summary>The named connections. Each has its own login, so what a statement may do is what its login may do.</summary>
internal sealed class SqlConnections : IAsyncDisposable
{
    // A dead connection is given up after two to three times this.
    private static readonly TimeSpan WatchPatience = TimeSpan.FromSeconds(5);
    private readonly MillraceOptions settings;
    private readonly Dictionary<string, string?> texts;
    private readonly SqlStatement statement;
    private readonly TimeProvider time;
    private readonly IDatabaseLogin? login;
    private readonly ConcurrentDictionary<string, Lazy<SqlConnection>> open = new(StringComparer.Ordinal);

    public SqlConnections(IOptions<MillraceOptions> options, SqlStatement statement, TimeProvider time, IDatabaseLogin? login = null)
    {
        (this.statement, this.time, this.login) = (statement, time, login);
        NpgsqlBehaviour.Apply();
        settings = options.Value;
        ConnectionStrings.Check(settings);
        texts = new(ConnectionStrings.OfNodes(settings), StringComparer.Ordinal);
    }

    /// <summary>A connection by name, null meaning the default one; null where there is none of that name.</summary>
    public SqlConnection? Find(string? name)
    {
        name ??= ConnectionStrings.Default;
        return texts.GetValueOrDefault(name) is { } text ? open.GetOrAdd(name, _ => new(() => Open(text))).Value : null;
    }

    /// <summary>The names that <see cref="Find"/> knows.</summary>
    public IEnumerable<string> Names => texts.Keys;

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in open.Values.Where(connection => connection.IsValueCreated))
        {
            if (connection.Value.Pipeline is { } pipeline)
                await pipeline.DisposeAsync();
            if (connection.Value.Watch is { } watch)
                await watch.DisposeAsync();
            await connection.Value.Source.DisposeAsync();
            connection.Value.Places.Dispose();
        }
    }

    private SqlConnection Open(string text)
    {
        var builder = new NpgsqlConnectionStringBuilder(text)
        {
            ApplicationName = "millrace-sql",
            // Statements take no more than there are places. The rest is for the look at those that last, and for those that
            // were given up with their connections.
            MaxPoolSize = (2 * settings.Sql.PoolSize) + 1,
            Timezone = "UTC",
            Timeout = 10,
            // Which statement of a batch has failed tells an error of a receipt from one of its author.
            IncludeFailedBatchedCommand = true,
            // A peer that is gone without a word is noticed after twenty seconds, not after hours.
            TcpKeepAlive = true,
            TcpKeepAliveTime = 10,
            TcpKeepAliveInterval = 1,
        };

        // A transaction pooler, which "No Reset On Close" announces, keeps no prepared statements and takes no options.
        // Without one we put back those sessions ourselves that need it.
        var isPooled = builder.NoResetOnClose;
        if (!isPooled)
        {
            builder.NoResetOnClose = true;
            (builder.MaxAutoPrepare, builder.AutoPrepareMinUsages) = (50, 3);
            builder.Options = $"{SessionOptions()} {builder.Options}".TrimEnd();
        }

        var source = DataSources.Create(builder.ConnectionString, login);
        var connection = new SqlConnection(source, new(settings.Sql.PoolSize), isPooled)
        {
            Timeout = settings.Sql.Timeout,
            IdleInTransaction = IdleInTransaction,
            Watch = isPooled ? null : new(source, WatchPatience, time),
        };
        connection.Pipeline = new(connection, statement, settings.Sql.PoolSize, time);
        return connection;
    }

    private TimeSpan IdleInTransaction => TimeSpan.FromSeconds(Math.Clamp(settings.Pump.Lease.TotalSeconds / 2, 1, 60));

    // The server itself ends what nobody waits for any more.
    private string SessionOptions() => string.Create(
        CultureInfo.InvariantCulture,
        $"-c statement_timeout={settings.Sql.Timeout.TotalMilliseconds:0} -c idle_in_transaction_session_timeout={IdleInTransaction.TotalMilliseconds:0} {ConnectionStrings.SessionChecks(settings.Sql.ClientCheckInterval)}");
}
