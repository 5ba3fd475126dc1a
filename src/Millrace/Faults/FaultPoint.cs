using System.Diagnostics;
using System.Globalization;

namespace Millrace.Faults;

/// <summary>
/// Places where a test can make this process die or stop, to see what is left behind: between a commit and what follows
/// it. The variable <c>MILLRACE_FAULT</c> names one: <c>sql-committed</c>, <c>sql-committed:3</c> (the third time it is
/// passed), <c>checkpoint-stored=stop</c> (SIGSTOP in place of SIGKILL). Unset, which is decided once, the compiler
/// leaves nothing of a place.
/// </summary>
internal static class FaultPoint
{
    /// <summary>A statement was executed; its receipt is not written and nothing is committed.</summary>
    public const string SqlExecuted = "sql-executed";

    /// <summary>The receipt and the commit were sent; there is no answer yet.</summary>
    public const string SqlCommitting = "sql-committing";

    /// <summary>A statement and its receipt are committed.</summary>
    public const string SqlCommitted = "sql-committed";

    /// <summary>Instances are claimed.</summary>
    public const string Claimed = "claimed";

    /// <summary>A node has ended; its checkpoint is not stored.</summary>
    public const string CheckpointStoring = "checkpoint-storing";

    /// <summary>A checkpoint is stored; nobody has been told.</summary>
    public const string CheckpointStored = "checkpoint-stored";

    /// <summary>Starts are stored; nobody has been answered.</summary>
    public const string StartStored = "start-stored";

    /// <summary>Every place.</summary>
    public static readonly IReadOnlyList<string> All =
        [SqlExecuted, SqlCommitting, SqlCommitted, Claimed, CheckpointStoring, CheckpointStored, StartStored];

    private static readonly string? Armed = Environment.GetEnvironmentVariable("MILLRACE_FAULT");
    private static readonly bool IsArmed = Armed is not null;
    private static int passed;

    /// <summary>Passes a place.</summary>
    public static void Pass(string place)
    {
        if (IsArmed)
            PassArmed(place);
    }

    private static void PassArmed(string place)
    {
        var (rest, stops) = Armed!.EndsWith("=stop", StringComparison.Ordinal) ? (Armed[..^5], true) : (Armed, false);
        var parts = rest.Split(':');
        if (parts[0] != place)
            return;
        var times = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 1;
        if (Interlocked.Increment(ref passed) != times)
            return;
        if (!stops)
        {
            Process.GetCurrentProcess().Kill();
            Thread.Sleep(Timeout.Infinite);
        }

        using var stop = Process.Start("kill", ["-STOP", $"{Environment.ProcessId}"]);
        stop.WaitForExit();
    }
}
