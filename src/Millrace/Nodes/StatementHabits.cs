using System.Collections.Concurrent;

namespace Millrace.Nodes;

/// <summary>What executing a statement has shown of it.</summary>
internal enum Habit
{
    /// <summary>Nothing yet.</summary>
    Unknown,

    /// <summary>It wrote nothing.</summary>
    Reads,

    /// <summary>It wrote at least once.</summary>
    Writes,

    /// <summary>It cannot run inside a transaction (<c>VACUUM</c>, a procedure that commits).</summary>
    Alone,
}

/// <summary>
/// What this process has seen of the statements of a connection. It only chooses the cheaper of two ways; each of them is
/// right for any statement.
/// </summary>
internal sealed class StatementHabits
{
    private const int Capacity = 10_000;
    private readonly ConcurrentDictionary<string, Habit> known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> traces = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> quick = new(StringComparer.Ordinal);

    /// <summary>What is known of a statement.</summary>
    public Habit Of(string statement) => known.GetValueOrDefault(statement);

    /// <summary>Something was seen. That it wrote nothing this time does not outweigh that it wrote at another.</summary>
    public void Learn(string statement, Habit habit)
    {
        if (known.Count >= Capacity)
            known.Clear();
        if (habit is Habit.Reads)
            known.TryAdd(statement, habit);
        else
            known[statement] = habit;
    }

    /// <summary>Whether a statement has read rows, and answered at once, the last time that it was executed by itself.</summary>
    public bool IsQuick(string statement) => quick.ContainsKey(statement);

    /// <summary>A statement has read rows and answered at once.</summary>
    public void LearnQuick(string statement)
    {
        if (quick.Count >= Capacity)
            quick.Clear();
        quick[statement] = true;
    }

    /// <summary>A statement has failed or has taken long.</summary>
    public void ForgetQuick(string statement) => quick.TryRemove(statement, out _);

    /// <summary>Whether a statement may leave traces in its session.</summary>
    public bool MayLeaveTraces(string statement)
    {
        if (traces.TryGetValue(statement, out var may))
            return may;
        if (traces.Count >= Capacity)
            traces.Clear();
        return traces[statement] = SessionTraces.MayLeave(statement);
    }
}
