using System.Text.Json;

namespace Millrace.Bench.Load;

/// <summary>Runs a load generator as a process of its own: what it costs is not the server's, and what it waits for is not its own collector's.</summary>
internal static class LoadProcess
{
    public static async Task<Outcome> RunAsync(Plan plan, CancellationToken cancel)
    {
        using var process = OwnProcess.Start("load");
        await process.StandardInput.WriteAsync(JsonSerializer.Serialize(plan));
        process.StandardInput.Close();
        try
        {
            var answer = await process.StandardOutput.ReadToEndAsync(cancel);
            await process.WaitForExitAsync(cancel);
            return process.ExitCode == 0
                ? JsonSerializer.Deserialize<Outcome>(answer)!
                : throw new InvalidOperationException($"The load generator ended with exit code {process.ExitCode}.");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }
}
