using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Npgsql;

namespace Millrace.Nodes;

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
        return texts.GetValueOrDefault(name) is { } text ? open.GetOrAdd(name, _ => new(() => Open(name, text))).Value : null;
    }

    /// <summary>The names that <see cref="Find"/> knows.</summary>
    public IEnumerable<string> Names => texts.Keys;

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in open.Values.Where(connection => connection.IsValueCreated))
            await connection.Value.DisposeAsync();
    }

    private SqlConnection Open(string name, string text)
    {
        var builder = new NpgsqlConnectionStringBuilder(text)
        {
            ApplicationName = "millrace-sql",
            // One more than statements take, for the look at those that last.
            MaxPoolSize = settings.Sql.PoolSize + 1,
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
        // Without one we put back those sessions ourselves that need it, at once and not with their next use.
        var isPooled = builder.NoResetOnClose;
        if (!isPooled)
        {
            builder.NoResetOnClose = true;
            builder.Options = $"{SessionOptions()} {builder.Options}".TrimEnd();
        }

        var wary = isPooled ? null : DataSources.Create(new NpgsqlConnectionStringBuilder(builder.ConnectionString)
        {
            MaxPoolSize = settings.Sql.PoolSize,
            MaxAutoPrepare = 0,
        }.ConnectionString, login);
        if (!isPooled)
            (builder.MaxAutoPrepare, builder.AutoPrepareMinUsages) = (50, 3);
        var source = DataSources.Create(builder.ConnectionString, login);
        var connection = new SqlConnection(name, source, wary ?? source, new(settings.Sql.PoolSize), isPooled)
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
        $"-c statement_timeout={settings.Sql.Timeout.TotalMilliseconds:0} -c idle_in_transaction_session_timeout={IdleInTransaction.TotalMilliseconds:0} {Pinned} {ConnectionStrings.SessionChecks(settings.Sql.ClientCheckInterval)}");

    // What values look like as text is not for a setting of the role or the database to say.
    private static readonly string Pinned = string.Join(' ', SqlRun.Looks.Select(look => $"-c {look.Name}={look.Value}"));
}
