using System.Collections.Concurrent;
using System.Diagnostics;

namespace Millrace.Chaos;

/// <summary>What was done, and when, in minutes and seconds since the beginning.</summary>
internal sealed class Diary
{
    private readonly long begin = Stopwatch.GetTimestamp();
    private readonly ConcurrentQueue<string> lines = [];

    public IReadOnlyCollection<string> Lines => lines;

    /// <summary>How long it has been kept.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(begin);

    public void Note(string what) => lines.Enqueue($"{DateTimeOffset.UtcNow:HH:mm:ss.f}, {Elapsed:mm\\:ss\\.f} after the start: {what}");
}
