using System.ComponentModel;
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
    /// <exception cref="LocalPostgresException">It cannot be started.</exception>
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

        using var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.Exited += (_, _) => exited.TrySetResult();
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new LocalPostgresException($"{program} cannot be started{(user is null ? "" : $" as the user {user.Name}")} in {start.WorkingDirectory}: {e.Message}");
        }

        var output = new StringBuilder();
        var reading = Task.WhenAll(ReadAsync(process.StandardOutput, output), ReadAsync(process.StandardError, output));
        try
        {
            await exited.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        // What it said is read to the end, but not for ever: a server that it has left behind may keep the pipes open.
        await Task.WhenAny(reading, Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None));
        lock (output)
            return new(process.ExitCode, output.ToString().Trim());
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder output)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (output)
                output.AppendLine(line);
        }
    }
}
