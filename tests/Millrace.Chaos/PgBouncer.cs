using System.Diagnostics;
using Millrace.Server.LocalPostgres;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>A PgBouncer on loopback, in transaction mode, in front of a PostgreSQL on loopback.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    public static readonly string? Program = new[] { "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer" }.FirstOrDefault(File.Exists);

    private readonly Process process;
    private readonly string folder;

    private PgBouncer(Process process, string folder, string connectionString) =>
        (this.process, this.folder, ConnectionString) = (process, folder, connectionString);

    /// <summary>Leads through it to the same database.</summary>
    public string ConnectionString { get; }

    public static async Task<PgBouncer> StartAsync(string connectionString)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        var folder = Directory.CreateTempSubdirectory("millrace-bouncer-").FullName;
        var port = new PortFile(Path.Combine(folder, "port")).Choose();
        await File.WriteAllTextAsync(Path.Combine(folder, "users.txt"), $"\"{target.Username}\" \"{target.Password}\"\n");
        var settings = Path.Combine(folder, "pgbouncer.ini");
        await File.WriteAllTextAsync(settings, $"""
            [databases]
            * = host={target.Host} port={target.Port}

            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = {folder}/users.txt
            pool_mode = transaction
            default_pool_size = 8
            max_client_conn = 200
            server_login_retry = 1
            logfile = {folder}/log
            """);

        // It refuses to run as root.
        var arguments = new List<string> { settings };
        if (Environment.IsPrivilegedProcess)
        {
            arguments.InsertRange(0, ["-u", "postgres"]);
            using var own = Process.Start("chown", ["-R", "postgres", folder]);
            await own.WaitForExitAsync();
        }

        var process = Process.Start(new ProcessStartInfo(Program!, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _ = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
        var through = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Port = port,
            NoResetOnClose = true,
            MaxAutoPrepare = 0,
        }.ConnectionString;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await Direct.InsistAsync(through, "SELECT 1", limit.Token);
        return new(process, folder, through);
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
