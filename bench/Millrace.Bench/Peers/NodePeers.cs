using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Npgsql;

namespace Millrace.Bench.Peers;

/// <summary>What a peer's script has measured.</summary>
/// <param name="Count">How many jobs or workflows.</param>
/// <param name="Seconds">In what time.</param>
internal sealed record PeerResult(int Count, double Seconds)
{
    public double PerSecond => Count / Seconds;
}

/// <summary>The peers that run on Node.js, by the scripts in <c>bench/peers</c>.</summary>
internal sealed class NodePeers
{
    private static readonly JsonSerializerOptions Names = new(JsonSerializerDefaults.Web);
    private readonly string folder;

    private NodePeers(string folder) => this.folder = folder;

    /// <summary>Installs them from their lock file where that has not been done; null, with the reason, where it cannot be.</summary>
    public static async Task<(NodePeers? Peers, string? Reason)> InstallAsync(CancellationToken cancel)
    {
        var folder = Path.Combine(SourceFolder(), "../../peers");
        if (!Directory.Exists(folder))
            return (null, $"their scripts are not at {Path.GetFullPath(folder)}");
        try
        {
            if (!Directory.Exists(Path.Combine(folder, "node_modules")))
            {
                var (code, _, error) = await RunAsync("npm", ["ci", "--no-audit", "--no-fund"], folder, cancel);
                if (code != 0)
                    return (null, $"npm ci failed: {error.Trim().Split('\n')[^1]}");
            }

            return (new(folder), null);
        }
        catch (Win32Exception)
        {
            return (null, "Node.js is not installed");
        }
    }

    /// <summary>Runs a script.</summary>
    /// <param name="script">Its name, without extension.</param>
    /// <param name="what">What it is to do.</param>
    /// <param name="connectionString">On which database; everything in it is the peer's.</param>
    /// <param name="count">How often.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<PeerResult> RunAsync(string script, string what, string connectionString, int count, CancellationToken cancel)
    {
        var (code, output, error) = await RunAsync("node", [$"{script}.mjs", what, UrlOf(connectionString), $"{count}"], folder, cancel);
        return code == 0
            ? JsonSerializer.Deserialize<PeerResult>(output.Trim().Split('\n')[^1], Names)!
            : throw new InvalidOperationException($"{script} {what} failed: {error}");
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string program, string[] arguments, string folder, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync(cancel);
        var output = await process.StandardOutput.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, output, await error);
    }

    private static string UrlOf(string connectionString)
    {
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        return $"postgres://{given.Username}:{Uri.EscapeDataString(given.Password ?? "")}@{given.Host}:{given.Port}/{given.Database}";
    }

    private static string SourceFolder([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
