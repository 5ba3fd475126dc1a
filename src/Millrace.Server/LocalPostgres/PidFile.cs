using System.Diagnostics;
using System.Globalization;

namespace Millrace.Server.LocalPostgres;

/// <summary>PostgreSQL's pid file. Its lines: process, data folder, start time, port, and more.</summary>
internal sealed class PidFile(string path)
{
    /// <summary>The port it names; null where there is no file, or none yet.</summary>
    public int? Port
    {
        get
        {
            try
            {
                var lines = File.ReadAllLines(path);
                return lines.Length > 3 && int.TryParse(lines[3], CultureInfo.InvariantCulture, out var port) ? port : null;
            }
            catch (IOException)
            {
                return null;
            }
        }
    }

    /// <summary>
    /// Removes it where its process is gone or is no PostgreSQL. PostgreSQL itself looks only whether a process of that
    /// number lives: after a restart of the machine, or in a container, the number may belong to anything.
    /// </summary>
    public void RemoveIfStale()
    {
        if (!File.Exists(path))
            return;
        if (!int.TryParse(File.ReadLines(path).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid) || !IsPostgres(pid))
            File.Delete(path);
    }

    private static bool IsPostgres(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.ProcessName.StartsWith("postgres", StringComparison.OrdinalIgnoreCase);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }
}
