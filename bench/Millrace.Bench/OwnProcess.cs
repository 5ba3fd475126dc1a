using System.Diagnostics;

namespace Millrace.Bench;

/// <summary>This program once more, in another part: what it costs and what it waits for is then its own.</summary>
internal static class OwnProcess
{
    /// <summary>Starts a subcommand, with its standard input and output in the caller's hands.</summary>
    public static Process Start(params string[] arguments) => Process.Start(
        new ProcessStartInfo("dotnet", [typeof(OwnProcess).Assembly.Location, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
}
