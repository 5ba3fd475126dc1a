using Millrace.Chaos;
using Millrace.Server.LocalPostgres;
using Npgsql;

namespace Millrace.Tests.Support;

/// <summary>One PostgreSQL for the whole run, started by the server's own code, on first use.</summary>
internal static class TestCluster
{
    // Durability is PostgreSQL's own and not under test here; without it the suite takes half the time.
    private static readonly string[] Settings = ["fsync=off", "full_page_writes=off", "max_connections=400", "logging_collector=off"];

    private static readonly Lazy<Task<Cluster>> Started = new(StartAsync);
    private static int databases;

    public static Task<Cluster> GetAsync() => Started.Value;

    /// <summary>Makes an empty database and tells how to connect to it.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var cluster = await GetAsync();
        var name = $"test_{Interlocked.Increment(ref databases)}";
        await ExecuteAsync(cluster.ConnectionString, $"CREATE DATABASE {name}");
        return new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Database = name }.ConnectionString;
    }

    public static async Task DropDatabaseAsync(string connectionString)
    {
        var cluster = await GetAsync();
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await ExecuteAsync(cluster.ConnectionString, $"DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    }

    public static Task ExecuteAsync(string connectionString, string sql) => Direct.ExecuteAsync(connectionString, sql);

    public static Task<T> ScalarAsync<T>(string connectionString, string sql) => Direct.ScalarAsync<T>(connectionString, sql);

    private static async Task<Cluster> StartAsync()
    {
        var programs = PostgresPrograms.Find(null)
            ?? throw new InvalidOperationException("The tests need an installed PostgreSQL 15 or newer (Debian: apt-get install postgresql).");
        var folder = Path.Combine(Path.GetTempPath(), $"millrace-tests-{Environment.ProcessId}");
        var cluster = await Cluster.StartAsync(programs, folder, Settings, CancellationToken.None);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            NpgsqlConnection.ClearAllPools();
            cluster.StopAsync(CancellationToken.None).GetAwaiter().GetResult();
            Directory.Delete(folder, recursive: true);
        };
        return cluster;
    }
}
