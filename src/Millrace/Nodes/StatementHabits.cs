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
    private readonly Memo<Habit> habits = new();
    private readonly Memo<bool> traces = new();
    private readonly Memo<bool> quick = new();

    /// <summary>What is known of a statement.</summary>
    public Habit Of(string statement) => habits.Of(statement);

    /// <summary>Something was seen. That it wrote nothing this time does not outweigh that it wrote at another.</summary>
    public void Learn(string statement, Habit habit)
    {
        if (habit is not Habit.Reads || habits.Of(statement) is Habit.Unknown)
            habits.Keep(statement, habit);
    }

    /// <summary>Whether a statement has read rows, and answered at once, the last time that it was executed by itself.</summary>
    public bool IsQuick(string statement) => quick.Of(statement);

    /// <summary>A statement has read rows and answered at once.</summary>
    public void LearnQuick(string statement) => quick.Keep(statement, true);

    /// <summary>A statement has failed or has taken long.</summary>
    public void ForgetQuick(string statement) => quick.Forget(statement);

    /// <summary>Whether a statement may leave traces in its session.</summary>
    public bool MayLeaveTraces(string statement) =>
        traces.TryGet(statement, out var may) ? may : traces.Keep(statement, SessionTraces.MayLeave(statement));

    // Bounded by starting again from nothing: what was known is soon seen anew.
    private sealed class Memo<T>
        where T : struct
    {
        private const int Capacity = 10_000;
        private readonly ConcurrentDictionary<string, T> known = new(StringComparer.Ordinal);

        public T Of(string statement) => known.GetValueOrDefault(statement);

        public bool TryGet(string statement, out T value) => known.TryGetValue(statement, out value);

        public T Keep(string statement, T value)
        {
            // Counting takes all of the dictionary's locks, so that only what is new is counted.
            if (!known.ContainsKey(statement) && known.Count >= Capacity)
                known.Clear();
            return known[statement] = value;
        }

        public void Forget(string statement) => known.TryRemove(statement, out _);
    }
}
