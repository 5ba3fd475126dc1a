using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;

namespace Millrace.Chaos;

/// <summary>The server as a process of its own, to be killed.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly TaskCompletionSource<string> address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerProcess(Process process) => Process = process;

    public Process Process { get; }

    public ConcurrentQueue<string> Output { get; } = new();

    public static ServerProcess Start(IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Millrace.Server.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;

        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var server = new ServerProcess(process);
        process.OutputDataReceived += (_, line) => server.Take(line.Data);
        process.ErrorDataReceived += (_, line) => server.Take(line.Data);
        process.Exited += (_, _) => server.exited.TrySetResult();
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return server;
    }

    public static ServerProcess StartOn(string connectionString, string key, params (string Name, string Value)[] environment) => Start(
        ["--urls", "http://127.0.0.1:0"], [("Millrace__ConnectionString", connectionString), ("Millrace__ApiKey", key), .. environment]);

    /// <summary>A client, once the server listens.</summary>
    public async Task<HttpClient> ClientAsync(string key)
    {
        var listening = await Task.WhenAny(address.Task, exited.Task).WaitAsync(TimeSpan.FromSeconds(60));
        if (listening != address.Task)
            throw new InvalidOperationException($"The server ended: {string.Join('\n', Output)}");
        return new()
        {
            BaseAddress = new($"{await address.Task}/"),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
        };
    }

    /// <summary>Waits for the end; returns the exit code.</summary>
    public async Task<int> ExitAsync()
    {
        await exited.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await Process.WaitForExitAsync();
        return Process.ExitCode;
    }

    /// <summary>Kills it without a word (SIGKILL).</summary>
    public async Task KillAsync()
    {
        Process.Kill();
        await exited.Task;
    }

    /// <summary>Asks it to end (SIGTERM).</summary>
    public async Task<int> TerminateAsync()
    {
        await SignalAsync("-TERM");
        return await ExitAsync();
    }

    /// <summary>Stops it where it is (SIGSTOP).</summary>
    public Task PauseAsync() => SignalAsync("-STOP");

    /// <summary>Lets it go on (SIGCONT).</summary>
    public Task ResumeAsync() => SignalAsync("-CONT");

    /// <summary>Waits until it is stopped, as it can ask for itself.</summary>
    public async Task StoppedAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(await File.ReadAllTextAsync($"/proc/{Process.Id}/stat", limit.Token)).Contains(") T ", StringComparison.Ordinal))
            await Task.Delay(20, limit.Token);
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{Process.Id}"]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
            await KillAsync();
        Process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null)
            return;
        Output.Enqueue(line);
        const string mark = "Millrace serves on ";
        if (line.StartsWith(mark, StringComparison.Ordinal))
            address.TrySetResult(line[mark.Length..].Split(' ')[0]);
    }
}
