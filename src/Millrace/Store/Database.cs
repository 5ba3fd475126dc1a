using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Npgsql;

namespace Millrace.Store;

/// <summary>The connections to the store.</summary>
public sealed class Database : IAsyncDisposable, IDisposable
{
    // Every statement of ours looks rows up by an index, for as many rows as it names. While a table has no statistics, or
    // is nearly empty, reading all of it looks just as cheap, and was seen to cost nine tenths of the throughput a minute
    // later. These settings leave only nested loops over indexes.
    private const string IndexesOnly =
        "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off -c enable_sort=off -c jit=off"
        // Whatever a plan of ours costs by the planner's reckoning, it reads a few rows: starting other processes for it takes
        // a hundred times as long.
        + " -c max_parallel_workers_per_gather=0"
        // What is worked on is in memory: one look-up costs next to nothing there, and a scan of everything still does.
        + " -c random_page_cost=0.1";

    // A look-up of one row is planned once: left to itself the server would plan it anew each time, because only then it
    // knows the one partition that it needs, while a kept plan finds that partition when it begins.
    private const string KeepPlans = "-c plan_cache_mode=force_generic_plan";

    // A statement that matches many rows with a table is planned anew each time: a plan that was kept from when the table
    // was empty may go through the whole of it for every row. The batch shares the cost of the planning.
    private const string PlanAnew = "-c plan_cache_mode=force_custom_plan";

    // What a statement decides it decides on the rows as they are once it has locked them, whatever the database's default is.
    private const string ReadCommitted = @"-c default_transaction_isolation=read\ committed";

    static Database() => NpgsqlBehaviour.Apply();

    /// <summary>Makes the pools; nothing is connected yet.</summary>
    public Database(IOptions<MillraceOptions> options, IDatabaseLogin? login = null, TimeProvider? time = null)
    {
        Weeks = new(time ?? TimeProvider.System);
        var settings = options.Value;
        if (string.IsNullOrWhiteSpace(settings.ConnectionString))
            throw new SettingException("Millrace:ConnectionString", "is missing: the store needs a PostgreSQL database");

        Source = DataSources.Create(Complete(settings, settings.Store.PoolSize, KeepPlans, silence: 15), login);
        Batches = DataSources.Create(Complete(settings, settings.Store.BatchPoolSize, KeepPlans, SilenceOfBatches(settings.Pump.Lease)), login);
        Matches = DataSources.Create(Complete(settings, settings.Store.MatchPoolSize, PlanAnew, SilenceOfBatches(settings.Pump.Lease)), login);
        Buckets = settings.Store.Buckets;
        IsPooled = new NpgsqlConnectionStringBuilder(settings.ConnectionString).NoResetOnClose;
    }

    /// <summary>The pool for single rows, and for everything that is not said to belong to another one.</summary>
    public NpgsqlDataSource Source { get; }

    /// <summary>The pool for claims, renewals and checkpoints, which look up many rows by their keys.</summary>
    public NpgsqlDataSource Batches { get; }

    /// <summary>The pool for statements that match many rows, each with values of its own, with a table.</summary>
    public NpgsqlDataSource Matches { get; }

    /// <summary>Whether a transaction pooler stands in between, which the operator announces by <c>No Reset On Close</c>.</summary>
    public bool IsPooled { get; }

    /// <summary>How many buckets new instances are spread over.</summary>
    public int Buckets { get; }

    /// <summary>Runs statements on the partitions of the weeks that they are about.</summary>
    internal Weeks Weeks { get; }

    /// <summary>Takes note of a fault: where a connection is gone, those that were made before it are not used again.</summary>
    public void Suspect(Exception fault)
    {
        if (!StoreFaults.IsLostConnection(fault))
            return;
        Source.Clear();
        Batches.Clear();
        Matches.Clear();
    }

    /// <summary>A statement about one instance: its bucket, its id and its organisation are the first three parameters.</summary>
    internal NpgsqlCommand InstanceCommand(string sql, Guid organisation, Guid id)
    {
        var command = Source.CreateCommand(sql);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(id)));
        command.Parameters.Add(Columns.Value(id));
        command.Parameters.Add(Columns.Value(organisation));
        return command;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Matches.DisposeAsync();
        await Batches.DisposeAsync();
        await Source.DisposeAsync();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Matches.Dispose();
        Batches.Dispose();
        Source.Dispose();
    }

    // A checkpoint or a renewal that gets no answer must be sent again while the lease may still hold.
    private static int SilenceOfBatches(TimeSpan lease) => (int)Math.Clamp(lease.TotalSeconds / 3, 2, 10);

    // What the operator has written into the connection string wins.
    private static string Complete(MillraceOptions settings, int poolSize, string planning, int silence)
    {
        var builder = ConnectionStrings.Parse("Millrace:ConnectionString", settings.ConnectionString!);
        var given = new HashSet<string>(builder.Keys.Cast<string>(), StringComparer.OrdinalIgnoreCase);
        if (!given.Contains("Application Name"))
            builder.ApplicationName = "millrace";
        // Which statement of a batch has failed tells which week has no partition.
        builder.IncludeFailedBatchedCommand = true;
        if (!given.Contains("Maximum Pool Size"))
            builder.MaxPoolSize = poolSize;
        // One write for a batch, so that a process which is stopped in the middle has sent all of it or nothing: the server
        // would wait for the rest with rows locked.
        if (!given.Contains("Write Buffer Size"))
            builder.WriteBufferSize = 128 << 10;
        if (!given.Contains("Timeout"))
            builder.Timeout = 5;
        // No answer for this long is none: a connection that is dead and does not know it must not outlast a lease.
        if (!given.Contains("Command Timeout"))
            (builder.CommandTimeout, builder.CancellationTimeout) = (silence, 500);
        if (!given.Contains("Tcp Keepalive"))
            (builder.TcpKeepAlive, builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (true, 10, 1);
        // A transaction pooler, which "No Reset On Close" announces, takes no start-up options and keeps no prepared
        // statements. Without one the session is not reset either: nothing of ours changes it, and a reset would cost
        // more than most of our statements.
        if (builder.NoResetOnClose)
            return builder.ConnectionString;
        if (!given.Contains("Max Auto Prepare"))
            builder.MaxAutoPrepare = 40;
        if (!given.Contains("Auto Prepare Min Usages"))
            builder.AutoPrepareMinUsages = 2;
        (builder.NoResetOnClose, builder.Options) =
            (true, $"{IndexesOnly} {planning} {ReadCommitted} {ConnectionStrings.SessionChecks(settings.Sql.ClientCheckInterval)} {builder.Options}".TrimEnd());
        return builder.ConnectionString;
    }
}
