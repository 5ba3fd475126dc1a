using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Npgsql;

namespace Millrace.Store;

/// <summary>The connections to the store.</summary>
public sealed class Database : IAsyncDisposable, IDisposable
{
    // Every statement of ours looks rows up by an index, for as many rows as it names. Plans are kept, and one that was
    // made while a table was nearly empty would read all of it, and go on doing so when it has grown: a plan with a hash
    // over the whole work table was seen to cost nine tenths of the throughput. These settings leave only the right plans.
    private const string PlannerOptions =
        "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
        // Left to itself the server would plan each look-up anew, because only then it knows the one partition that it
        // needs; a kept plan finds that partition when it begins, and spares the planning, which is most of the work.
        + " -c plan_cache_mode=force_generic_plan";

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
        // A transaction pooler, which "No Reset On Close" announces, takes no start-up options. Without one the session is
        // not reset either: nothing of ours changes it, and a reset would cost more than most of our statements.
        if (!builder.NoResetOnClose)
            (builder.NoResetOnClose, builder.Options) = (true, $"{builder.Options} {PlannerOptions}".TrimStart());
        return builder.ConnectionString;
    }
}
