using System.Diagnostics;
using System.Text;

namespace Millrace.Server.LocalPostgres;

/// <summary>What a program has said and how it has ended.</summary>
internal sealed record ShellResult(int ExitCode, string Output)
{
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs other programs.</summary>
internal static class Shell
{
    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments; no shell sees them.</param>
    /// <param name="user">The user to run it as; null for this process's own.</param>
    /// <param name="directory">The folder to run it in; null for this process's own.</param>
    /// <param name="cancel">Kills it.</param>
    public static async Task<ShellResult> RunAsync(
        string program, IEnumerable<string> arguments, SystemUser? user, string? directory, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "",
        };
        if (user is not null)
            start.UserName = user.Name;

        using var process = new Process { StartInfo = start };
        var output = new StringBuilder();
        void Append(object sender, DataReceivedEventArgs line)
        {
            lock (output)
                output.AppendLine(line.Data);
        }

        process.OutputDataReceived += Append;
        process.ErrorDataReceived += Append;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            // Not WaitForExitAsync: it also waits for the pipes, which a server started by the program keeps open.
            var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            process.EnableRaisingEvents = true;
            process.Exited += (_, _) => exited.TrySetResult();
            if (!process.HasExited)
                await exited.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        lock (output)
            return new(process.ExitCode, output.ToString().Trim());
    }
}
