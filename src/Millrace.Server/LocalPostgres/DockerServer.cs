using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Millrace.Server.LocalPostgres;

/// <summary>PostgreSQL's official image in a container that is made once and started again at the next start. Its data live in a volume.</summary>
internal sealed class DockerServer : ILocalServer
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(120);
    private readonly string docker;
    private readonly string container;
    private NpgsqlConnectionStringBuilder connection = new();

    private DockerServer(string docker, string container) => (this.docker, this.container) = (docker, container);

    /// <inheritdoc/>
    public string ConnectionString => connection.ConnectionString;

    /// <inheritdoc/>
    public string Description => $"PostgreSQL in the container {container}, port {connection.Port}";

    /// <summary>Where the command is; null where Docker is not installed.</summary>
    public static string? FindDocker() => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(directory => Path.Combine(directory, OperatingSystem.IsWindows() ? "docker.exe" : "docker"))
        .FirstOrDefault(File.Exists);

    /// <summary>Starts the container that belongs to a data folder, and makes it on first use; null where Docker does not answer.</summary>
    public static async Task<DockerServer?> StartAsync(string docker, string image, string folder, CancellationToken cancel)
    {
        var mark = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(folder))))[..12];
        var server = new DockerServer(docker, $"millrace-postgres-{mark}");
        if (!(await server.RunAsync(cancel, "version", "--format", "{{.Server.Version}}")).Succeeded)
            return null;

        var password = Password(folder);
        if (!(await server.RunAsync(cancel, "start", server.container)).Succeeded)
        {
            var made = await server.RunAsync(
                cancel, "run", "--detach", "--name", server.container, "--publish", "127.0.0.1::5432",
                "--volume", $"{server.container}:/var/lib/postgresql/data", "--env", "POSTGRES_USER=millrace", "--env", "POSTGRES_DB=millrace",
                "--env", $"POSTGRES_PASSWORD={password}", image);
            if (!made.Succeeded)
                throw new LocalPostgresException($"Docker could not run {image}: {made.Output}");
        }

        await server.ConnectAsync(password, cancel);
        await LocalRoles.PrepareAsync(server.ConnectionString, cancel);
        return server;
    }

    /// <summary>Stops the container; its data stay.</summary>
    public async ValueTask DisposeAsync() => await RunAsync(CancellationToken.None, "stop", container);

    private async Task ConnectAsync(string password, CancellationToken cancel)
    {
        var published = await RunAsync(cancel, "port", container, "5432/tcp");
        var port = published.Output.Split('\n')[0].Trim().Split(':')[^1];
        connection = new()
        {
            Host = "127.0.0.1",
            Port = int.Parse(port, CultureInfo.InvariantCulture),
            Username = "millrace",
            Password = password,
            Database = "millrace",
        };
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await using var probe = new NpgsqlConnection(ConnectionString);
                await probe.OpenAsync(cancel);
                return;
            }
            catch (NpgsqlException e) when (Stopwatch.GetElapsedTime(begun) > ReadyLimit)
            {
                throw new LocalPostgresException($"The PostgreSQL in the container {container} does not answer on 127.0.0.1:{port} ({e.Message})."
                    + $" See \"{docker} logs {container}\".");
            }
            catch (NpgsqlException)
            {
                await Task.Delay(250, cancel);
            }
        }
    }

    private static string Password(string folder)
    {
        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, "docker-password");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, RandomNumberGenerator.GetHexString(32, lowercase: true));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return File.ReadAllText(file).Trim();
    }

    private Task<ShellResult> RunAsync(CancellationToken cancel, params string[] arguments) => Shell.RunAsync(docker, arguments, null, null, cancel);
}
