using System.Diagnostics;
using System.Text;
using Millrace.Bench.Load;
using Millrace.Bench.Peers;
using Millrace.Chaos;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Npgsql;

namespace Millrace.Bench;

/// <summary>What all measurements of a run share: a PostgreSQL of its own, the peers, and how often and how large.</summary>
internal sealed class BenchContext : IAsyncDisposable
{
    private readonly Cluster cluster;
    private readonly string folder;
    private int databases;

    private BenchContext(Cluster cluster, string folder, BenchSettings settings, NodePeers? peers) =>
        (this.cluster, this.folder, Settings, Peers) = (cluster, folder, settings, peers);

    public BenchSettings Settings { get; }

    /// <summary>The peers that run on Node.js; null where there is none.</summary>
    public NodePeers? Peers { get; }

    /// <summary>Where progress is told.</summary>
    public required Action<string> Say { get; init; }

    public static async Task<BenchContext> StartAsync(BenchSettings settings, NodePeers? peers, Action<string> say, CancellationToken cancel)
    {
        var programs = PostgresPrograms.Find(null)
            ?? throw new InvalidOperationException("The benchmarks start a PostgreSQL of their own, and none is installed here (Debian: apt-get install postgresql).");
        var folder = Directory.CreateTempSubdirectory("millrace-bench-").FullName;
        var cluster = await Cluster.StartAsync(programs, folder, BenchSettings.Postgres, cancel);
        return new(cluster, folder, settings, peers) { Say = say };
    }

    /// <summary>A fresh database; its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(CancellationToken cancel)
    {
        var name = $"bench_{++databases}";
        await ExecuteAsync(cluster.ConnectionString, $"CREATE DATABASE {name}", cancel);
        return new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>Removes a database, and begins the next measurement with nothing left to write from the one before.</summary>
    public async Task DropDatabaseAsync(string connectionString, CancellationToken cancel)
    {
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await ExecuteAsync(cluster.ConnectionString, $"DROP DATABASE {name} WITH (FORCE)", cancel);
        await ExecuteAsync(cluster.ConnectionString, "CHECKPOINT", cancel);
    }

    /// <summary>Starts a server on a database.</summary>
    public static async Task<BenchServer> StartServerAsync(string connectionString, CancellationToken cancel, params (string Name, string Value)[] settings)
    {
        var key = KeyStore.NewKey();
        var process = ServerProcess.StartOn(connectionString, key, [("Logging__LogLevel__Default", "Warning"), .. settings]);
        var client = await process.ClientAsync(key);
        client.Timeout = TimeSpan.FromMinutes(5);
        var server = new BenchServer(process, client, key, connectionString);
        cancel.ThrowIfCancellationRequested();
        return server;
    }

    /// <summary>Asks a database for one value.</summary>
    public static async Task<T> ScalarAsync<T>(string connectionString, string sql, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 0 });
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(cancel))!;
    }

    /// <summary>Runs statements.</summary>
    public static async Task ExecuteAsync(string connectionString, string sql, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 0 });
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}

/// <summary>A server under measurement.</summary>
internal sealed class BenchServer(ServerProcess process, HttpClient client, string key, string connectionString) : IAsyncDisposable
{
    public const string Instances = "/api/v1/instances";

    public Process Process => process.Process;

    public HttpClient Client => client;

    public string ConnectionString => connectionString;

    /// <summary>Puts load on it.</summary>
    public Task<Outcome> LoadAsync(int connections, double seconds, CancellationToken cancel, double rate = 0, int requests = 0, int wait = 0, params Shape[] shapes) =>
        LoadProcess.RunAsync(
            new(client.BaseAddress!.GetLeftPart(UriPartial.Authority), key, connections, seconds, requests, rate, wait, wait > 0 ? 200 : 202, shapes), cancel);

    /// <summary>Stores a workflow to start by name.</summary>
    public async Task StoreWorkflowAsync(string name, string definition, CancellationToken cancel)
    {
        using var content = new StringContent(definition, Encoding.UTF8, "application/json");
        using var answer = await client.PutAsync($"workflows/{name}", content, cancel);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Starts instances, a thousand in a request and two requests at once; the seconds it took.</summary>
    public async Task<double> StartManyAsync(int count, string item, CancellationToken cancel)
    {
        var outcome = await LoadProcess.RunAsync(
            new(client.BaseAddress!.GetLeftPart(UriPartial.Authority), key, 2, 0, count / 1000, 0, 0, 202, [new(1, "POST", $"{Instances}/batch", $"[{string.Join(',', Enumerable.Repeat(item, 1000))}]")]),
            cancel);
        return outcome.Failures == 0 ? outcome.Seconds : throw new InvalidOperationException($"{outcome.Failures} batches failed: {outcome.FirstFailure}");
    }

    /// <summary>Waits until so many instances have ended since a time, and checks that all of them have completed; the time of the last end.</summary>
    public async Task<DateTime> DrainedAsync(DateTime since, long count, CancellationToken cancel)
    {
        while (true)
        {
            // Looked at rarely, and along the key, so that the look is not in the way: the end itself is read from the store.
            await Task.Delay(2000, cancel);
            await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false });
            await using var command = source.CreateCommand("""
                SELECT count(*), count(*) FILTER (WHERE status <> 4), max(ended_at)
                FROM millrace.outcome
                WHERE bucket = 0 AND organisation_id = (SELECT organisation_id FROM millrace.organisation WHERE bucket = 0) AND id >= $2 AND ended_at >= $1
                """);
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = since });
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = InstanceId.LeastAt(new DateTimeOffset(since).AddMinutes(-2)) });
            await using var reader = await command.ExecuteReaderAsync(cancel);
            await reader.ReadAsync(cancel);
            if (reader.GetInt64(1) > 0)
                throw new InvalidOperationException($"{reader.GetInt64(1)} instances did not complete.");
            if (reader.GetInt64(0) >= count)
                return reader.GetDateTime(2);
        }
    }

    /// <summary>The database's time.</summary>
    public Task<DateTime> NowAsync(CancellationToken cancel) => BenchContext.ScalarAsync<DateTime>(connectionString, "SELECT clock_timestamp()", cancel);

    /// <summary>The processor time that the server has taken so far.</summary>
    public TimeSpan ProcessorTime()
    {
        process.Process.Refresh();
        return process.Process.TotalProcessorTime;
    }

    /// <summary>The server's resident memory, in bytes.</summary>
    public long Memory()
    {
        process.Process.Refresh();
        return process.Process.WorkingSet64;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await process.DisposeAsync();
    }
}
