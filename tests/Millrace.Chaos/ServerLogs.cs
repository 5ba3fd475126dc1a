using System.Collections.Concurrent;

namespace Millrace.Chaos;

/// <summary>What the server processes have written, by their places, in files that stay when something was wrong.</summary>
internal sealed class ServerLogs(string folder)
{
    private readonly Lock gate = new();
    private readonly ConcurrentQueue<string> faults = [];

    /// <summary>Where the files are.</summary>
    public string Folder => folder;

    /// <summary>Processes that ended without having been told to, or did not start, and errors that they told of: none is expected, whatever is broken.</summary>
    public IReadOnlyCollection<string> Faults => faults;

    /// <summary>Keeps what a process has written until it ended.</summary>
    public void Keep(int place, ServerProcess process)
    {
        lock (gate)
        {
            Directory.CreateDirectory(folder);
            File.AppendAllLines(Path.Combine(folder, $"server-{place}.log"), [$"--- process {process.Process.Id}", .. process.Output]);
        }

        // That it could not hand back in time is right where the database was away while it ended.
        foreach (var error in process.Output.Where(line =>
            (line.StartsWith("fail: ", StringComparison.Ordinal) && !line.Contains("PumpLoop[17]", StringComparison.Ordinal)) || line.StartsWith("crit: ", StringComparison.Ordinal)))
            faults.Enqueue($"server {place}: {error}");
    }

    /// <summary>Throws the files away.</summary>
    public void Remove()
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Notes it if a process has ended by itself.</summary>
    public void NoteIfEnded(int place, ServerProcess process)
    {
        if (process.Process.HasExited)
            faults.Enqueue($"server {place} ended by itself with {process.Process.ExitCode}: {string.Join(" | ", process.Output.TakeLast(5))}");
    }

    public void NoteNoStart(int place, string why) => Note($"server {place} did not start: {why}");

    public void Note(string fault) => faults.Enqueue(fault);
}
