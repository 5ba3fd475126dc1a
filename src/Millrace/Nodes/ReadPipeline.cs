using Millrace.Execution;
using Millrace.Faults;
using Millrace.Store;

namespace Millrace.Nodes;

/// <summary>
/// Sends statements of several nodes over one session in one round trip, each in a transaction of its own. Only such go in
/// as have shown that they read, answer at once and leave nothing behind; while there is little to do each goes alone.
/// Executing a read twice does no harm, so when anything goes wrong, those without an answer are simply executed by
/// themselves: a failure, a lock or a dead connection is then told of the node that has it.
/// </summary>
internal sealed class ReadPipeline : IAsyncDisposable
{
    // With so many waiting, a second session is worth its while.
    private const int SideBySide = 8;
    private const int MostAtOnce = 32;

    // A statement that has ended within the first may share a session; a pipeline that takes longer than the second is given up.
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly SqlConnection connection;
    private readonly SqlStatement statement;
    private readonly TimeProvider time;
    private readonly Batcher<ExecuteSql, NodeEnd?> batcher;

    public ReadPipeline(SqlConnection connection, SqlStatement statement, int sessions, TimeProvider time)
    {
        (this.connection, this.statement, this.time) = (connection, statement, time);
        // What waits is bounded by the instances that this process holds.
        batcher = new(new(MostAtOnce, int.MaxValue, sessions) { SideBySide = SideBySide, CapacityBytes = long.MaxValue }, _ => 0, ExecuteAllAsync);
    }

    /// <summary>Whether a statement may share a session with others.</summary>
    public bool Takes(NodeContext context, ExecuteSql command) =>
        connection.Habits.IsQuick(command.Sql.Query.Text)
        && command.Sql.Timeout is null
        && (command.Sql.ReadOnly || (!context.MayRepeat && connection.Habits.Of(command.Sql.Query.Text) is Habit.Reads));

    /// <summary>Executes a statement among others; null if it has to be executed by itself.</summary>
    public Task<NodeEnd?> ExecuteAsync(ExecuteSql command) => batcher.AddAsync(command);

    /// <summary>Takes note of a statement that was executed by itself and has read rows.</summary>
    /// <param name="text">The statement.</param>
    /// <param name="took">How long it took.</param>
    public void Learn(string text, TimeSpan took)
    {
        if (!connection.IsPooled && took < Quick && !connection.Habits.MayLeaveTraces(text))
            connection.Habits.LearnQuick(text);
    }

    public ValueTask DisposeAsync() => batcher.DisposeAsync();

    private async Task<IReadOnlyList<NodeEnd?>> ExecuteAllAsync(IReadOnlyList<ExecuteSql> commands)
    {
        // One that was given up may still add to the list.
        var ends = new List<NodeEnd>(commands.Count);
        void Add(NodeEnd end)
        {
            lock (ends)
                ends.Add(end);
        }

        long? begun = null;
        using var limit = new StatementLimit(Limit, CancellationToken.None);
        try
        {
            // They are of many organisations, and together wait as one; not for long, since each may wait for itself.
            using var place = await connection.Places.EnterAsync(Guid.Empty, Guid.Empty, limit.Stop);
            begun = time.GetTimestamp();
            limit.Begin(Limit);
            await statement.ReadAllAsync(connection, commands, Add, limit).WaitAsync(limit.GiveUp);
        }
        catch (Exception e)
        {
            if (StoreFaults.IsLostConnection(e))
                connection.Clear();
        }

        NodeEnd[] answered;
        lock (ends)
            answered = [.. ends];
        // What never had its turn says nothing of the statements.
        if (begun is not { } at)
            return [.. commands.Select(_ => (NodeEnd?)null)];
        if (answered.Length < commands.Count)
            connection.Habits.ForgetQuick(commands[answered.Length].Sql.Query.Text);
        else if (time.GetElapsedTime(at) > Quick * commands.Count)
            commands.ToList().ForEach(command => connection.Habits.ForgetQuick(command.Sql.Query.Text));
        return [.. commands.Select((_, place) => place < answered.Length ? (NodeEnd?)answered[place] : null)];
    }
}
