using Millrace.Configuration;

namespace Millrace.Server.LocalPostgres;

/// <summary>Gets a local PostgreSQL from whatever this machine has.</summary>
internal static class LocalServers
{
    // 256 MB of shared buffers are what the published figures were measured with, and nothing to a laptop.
    private static readonly string[] Settings = ["shared_buffers=256MB"];

    /// <summary>Starts a cluster with the installed programs, or else a container.</summary>
    public static Task<ILocalServer> StartAsync(MillraceOptions options, CancellationToken cancel) =>
        StartAsync(options, PostgresPrograms.Find(options.LocalPostgres.BinDirectory), DockerServer.FindDocker(), cancel);

    /// <summary>Starts what was found; either may be null.</summary>
    internal static async Task<ILocalServer> StartAsync(
        MillraceOptions options, PostgresPrograms? programs, string? docker, CancellationToken cancel)
    {
        var folder = options.DataDirectory ?? DefaultFolder();
        if (programs is not null)
            return await Cluster.StartAsync(programs, folder, Settings, cancel);
        if (docker is not null && await DockerServer.StartAsync(docker, options.LocalPostgres.DockerImage, folder, cancel) is { } server)
            return server;
        throw new LocalPostgresException(
            $"No PostgreSQL was found here{(docker is null ? "" : ", and Docker is installed but does not answer")}. There are three ways out:"
            + " install PostgreSQL 15 or newer (Debian: apt-get install postgresql; macOS: brew install postgresql) and, if it is in an unusual place, set"
            + " Millrace:LocalPostgres:BinDirectory; or start Docker; or set Millrace:ConnectionString to a database that runs elsewhere.");
    }

    // PostgreSQL runs as another user where this process is root, and could not get into root's own folders.
    private static string DefaultFolder() =>
        SystemUser.ForPostgres() is not null
            ? "/var/lib/millrace"
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "millrace");
}
