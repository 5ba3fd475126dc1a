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
}
