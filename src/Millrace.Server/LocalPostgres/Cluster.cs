using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace Millrace.Server.LocalPostgres;

/// <summary>
/// A cluster in a folder: made on first use, started on a free loopback port, used again at the next start, stopped by
/// the last process that uses it. Layout: <c>cluster/</c> (PostgreSQL's own), <c>password</c>, <c>port</c>,
/// <c>postgres.log</c>, <c>lock</c>. A process that was killed leaves the server running or its pid file behind; both are found and put right.
/// </summary>
internal sealed class Cluster : ILocalServer
{
    private const string Role = "millrace";
    private const string DatabaseName = "millrace";
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly PostgresPrograms programs;
    private readonly string folder;
    private readonly SystemUser? user;
    private readonly ClusterFolder place;
    private readonly IReadOnlyList<string> settings;
    private NpgsqlConnectionStringBuilder connection = new();
    private NpgsqlConnection? hold;

    private Cluster(PostgresPrograms programs, string folder, IReadOnlyList<string> settings)
    {
        (this.programs, this.folder, this.settings) = (programs, folder, settings);
        user = SystemUser.ForPostgres();
        place = new(folder, user);
    }

    /// <inheritdoc/>
    public string ConnectionString => connection.ConnectionString;

    /// <inheritdoc/>
    public string Description => $"PostgreSQL on port {connection.Port}, data in {folder}";

    /// <summary>The server's log file.</summary>
    public string LogFile => Path.Combine(folder, LogName);

    private const string DataName = "cluster";
    private const string LogName = "postgres.log";
    private const string PasswordName = "password";
    private const string PortName = "port";

    private string DataFolder => Path.Combine(folder, DataName);

    private PortFile PortFile => new(Path.Combine(folder, PortName));

    private PidFile PidFile => new(Path.Combine(DataFolder, "postmaster.pid"));

    /// <summary>Makes the cluster if there is none, and starts it if it does not run.</summary>
    /// <param name="programs">The installation to use.</param>
    /// <param name="folder">Where it lives.</param>
    /// <param name="settings">Further server settings, each <c>name=value</c>.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<Cluster> StartAsync(PostgresPrograms programs, string folder, IReadOnlyList<string> settings, CancellationToken cancel)
    {
        var cluster = new Cluster(programs, Path.GetFullPath(folder), settings);
        try
        {
            cluster.place.Prepare();
            await cluster.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LocalPostgresException($"The data folder {cluster.folder} cannot be used: {e.Message.TrimEnd('.')}."
                + " Set Millrace:DataDirectory to another one, or Millrace:ConnectionString to a database that runs elsewhere.");
        }

        return cluster;
    }

    private async Task StartAsync(CancellationToken cancel)
    {
        using (await LockAsync(cancel))
        {
            if (!await IsRunningAsync(cancel))
            {
                if (!Directory.Exists(DataFolder))
                    await CreateAsync(cancel);
                PidFile.RemoveIfStale();
                await LaunchAsync(cancel);
            }

            await HoldAsync(cancel);
            await CreateDatabaseAsync(cancel);
            await LocalRoles.PrepareAsync(ConnectionString, cancel);
        }
    }

    /// <summary>Stops the server, unless somebody else is connected to it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (hold is not null)
            await hold.DisposeAsync();
        try
        {
            await StopUnlessInUseAsync().WaitAsync(StartLimit);
        }
        catch (TimeoutException)
        {
            await Console.Error.WriteLineAsync($"The local PostgreSQL in {folder} has not stopped within {StartLimit.TotalSeconds:N0} s; its log is {LogFile}.");
        }
    }

    private async Task StopUnlessInUseAsync()
    {
        using (await LockAsync(CancellationToken.None))
        {
            if (!await OthersAreConnectedAsync(CancellationToken.None))
                await StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Stops the server, whoever is connected.</summary>
    public Task StopAsync(CancellationToken cancel) => PgCtlAsync(["-m", "fast", "-w", "stop"], cancel);

    /// <summary>Lets the server die as in a crash, and starts it again on the same port; it recovers from its log.</summary>
    public Task CrashAsync(CancellationToken cancel) =>
        PgCtlAsync(["-l", LogFile, "-m", "immediate", "-w", "-t", $"{StartLimit.TotalSeconds}", "restart"], cancel);

    // Two processes that start on one folder at a time would both make or launch it.
    private async Task<FileStream> LockAsync(CancellationToken cancel)
    {
        var path = Path.Combine(folder, "lock");
        while (true)
        {
            try
            {
                return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                await Task.Delay(100, cancel);
            }
        }
    }

    private async Task CreateAsync(CancellationToken cancel)
    {
        // Made beside its place and moved there when it is whole, so that a death in the middle leaves nothing half-made.
        var draft = DataFolder + ".new";
        await RemoveAsync(draft, cancel);
        place.Make(DataName + ".new");
        place.Write(PasswordName, RandomNumberGenerator.GetHexString(32, lowercase: true), isSecret: true);
        var result = await RunAsync(
            programs.InitDb, ["-D", draft, "-U", Role, "-E", "UTF8", "--locale=C", "--auth=scram-sha-256", $"--pwfile={PasswordFile}"], cancel);
        if (!result.Succeeded)
            throw new LocalPostgresException($"initdb could not make a cluster in {folder}: {LastLine(result.Output)}");
        Directory.Move(draft, DataFolder);
    }

    private string PasswordFile => Path.Combine(folder, PasswordName);

    // What is PostgreSQL's, its user removes: root would follow it to wherever a folder is swapped for a link meanwhile.
    private async Task RemoveAsync(string leftover, CancellationToken cancel)
    {
        if (!Directory.Exists(leftover))
            return;
        if (user is not null)
            await RunAsync("/bin/rm", ["-rf", "--", .. Directory.GetFileSystemEntries(leftover)], cancel);
        Directory.Delete(leftover, recursive: user is null);
    }

    private async Task LaunchAsync(CancellationToken cancel)
    {
        var port = PortFile.Choose();
        var options = new[] { $"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200" }
            .Concat(settings)
            .Select(setting => $"-c \"{setting}\"");
        place.MakeFile(LogName);
        var result = await PgCtlAsync(
            ["-l", LogFile, "-w", "-t", $"{StartLimit.TotalSeconds}", "-o", string.Join(' ', options), "start"], cancel);
        if (!result.Succeeded)
            throw new LocalPostgresException($"PostgreSQL did not start: {LastLine(result.Output)} Its log is {LogFile}.");
        place.Write(PortName, port.ToString(CultureInfo.InvariantCulture));
        connection = ConnectionTo(port);
    }

    private Task<ShellResult> PgCtlAsync(IEnumerable<string> arguments, CancellationToken cancel) =>
        RunAsync(programs.PgCtl, ["-D", DataFolder, .. arguments], cancel);

    private async Task<ShellResult> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        try
        {
            return await Shell.RunAsync(program, arguments, user, folder, cancel);
        }
        catch (LocalPostgresException) when (place.Barrier() is { } closed)
        {
            throw new LocalPostgresException(
                $"PostgreSQL does not run as root, and the user {user!.Name}, as which it runs instead, cannot get into {folder}: {closed} is closed to it."
                + $" Open that (chmod o+x {closed}), or set Millrace:DataDirectory to a folder elsewhere, such as /var/lib/millrace.");
        }
    }

    private NpgsqlConnectionStringBuilder ConnectionTo(int port) => new()
    {
        Host = "127.0.0.1",
        Port = port,
        Username = Role,
        Password = File.ReadAllText(PasswordFile).Trim(),
        Database = DatabaseName,
    };

    // A server that outlived its process is as good as a new one.
    private async Task<bool> IsRunningAsync(CancellationToken cancel)
    {
        if (!File.Exists(PasswordFile) || PidFile.Port is not { } port)
            return false;
        connection = ConnectionTo(port);
        try
        {
            await using var probe = new NpgsqlConnection(MaintenanceConnection);
            await probe.OpenAsync(cancel);
            await using var command = new NpgsqlCommand("SHOW data_directory", probe);
            return Path.GetFullPath((string)(await command.ExecuteScalarAsync(cancel))!) == DataFolder;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private string MaintenanceConnection => new NpgsqlConnectionStringBuilder(ConnectionString)
    {
        Database = "postgres",
        Pooling = false,
        ApplicationName = "millrace-local",
        Timeout = 5,
    }.ConnectionString;

    // A connection for as long as this process uses the server: whoever stops last sees by it that others are there.
    private async Task HoldAsync(CancellationToken cancel)
    {
        hold = new(MaintenanceConnection);
        await hold.OpenAsync(cancel);
    }

    private async Task CreateDatabaseAsync(CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{DatabaseName}')", hold);
        if (await command.ExecuteScalarAsync(cancel) is true)
            return;
        command.CommandText = $"CREATE DATABASE {DatabaseName}";
        await command.ExecuteNonQueryAsync(cancel);
    }

    private async Task<bool> OthersAreConnectedAsync(CancellationToken cancel)
    {
        try
        {
            await using var maintenance = new NpgsqlConnection(MaintenanceConnection);
            await maintenance.OpenAsync(cancel);
            await using var command = new NpgsqlCommand(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())", maintenance);
            return await command.ExecuteScalarAsync(cancel) is true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static string LastLine(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault("no output").Trim();
}
