using System.Data;
using System.Globalization;
using System.Runtime.CompilerServices;
using Millrace.Execution;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>A statement about to be executed on an open session, and the messages that go with it.</summary>
/// <param name="Connection">The named connection.</param>
/// <param name="Session">One of its sessions.</param>
/// <param name="Context">For whom.</param>
/// <param name="Command">The statement and its values.</param>
/// <param name="Timeout">How long it may take.</param>
/// <param name="Cancel">Stops it.</param>
internal sealed record SqlRun(
    SqlConnection Connection, NpgsqlConnection Session, NodeContext Context, ExecuteSql Command, TimeSpan Timeout, CancellationToken Cancel)
{
    /// <summary>The statement's text.</summary>
    public string Text => Command.Sql.Query.Text;

    /// <summary>An empty batch, whose results will be text, which every type has.</summary>
    public NpgsqlBatch Batch() => Batch(Session, Timeout);

    /// <summary>An empty batch, whose results will be text, which every type has.</summary>
    public static NpgsqlBatch Batch(NpgsqlConnection session, TimeSpan timeout)
    {
        // The token and the server's own limit end a statement; this one ends what is left of one that was given up.
        var batch = new NpgsqlBatch(session) { Timeout = (int)Math.Min(timeout.TotalSeconds + 30, int.MaxValue) };
        CommandOf(batch).AllResultTypesAreUnknown = true;
        return batch;
    }

    /// <summary>The statement with its values as parameters.</summary>
    public NpgsqlBatchCommand Statement() => Statement(Command);

    /// <summary>A statement with its values as parameters.</summary>
    public static NpgsqlBatchCommand Statement(ExecuteSql command)
    {
        var statement = new NpgsqlBatchCommand(command.Sql.Query.Text);
        foreach (var value in command.Parameters)
            statement.Parameters.Add(SqlParameters.Of(value));
        return statement;
    }

    /// <summary>
    /// The settings that the transaction needs beyond its session's; null for none. Sessions behind a transaction pooler
    /// have none of ours.
    /// </summary>
    public NpgsqlBatchCommand? Settings(bool mayWrite)
    {
        if (!NeedsTimeout)
            return null;
        var settings = $"SELECT set_config('statement_timeout', '{Milliseconds(Timeout)}', true)";
        return new(Connection.IsPooled && mayWrite
            ? $"{settings}, set_config('idle_in_transaction_session_timeout', '{Milliseconds(Connection.IdleInTransaction)}', true)"
            : settings);
    }

    /// <summary>
    /// Puts the session back to how it began, if the statement may have left anything in it. A session that cannot be put
    /// back is closed. Behind a transaction pooler that is the pooler's affair.
    /// </summary>
    public async ValueTask PutBackAsync()
    {
        if (Connection.IsPooled || !Connection.Habits.MayLeaveTraces(Text) || Session.State is not ConnectionState.Open)
            return;
        try
        {
            await using var command = new NpgsqlCommand(
                "CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD SEQUENCES; DISCARD TEMP; RESET ALL", Session)
            { CommandTimeout = 5 };
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            NpgsqlConnection.ClearPool(Session);
        }
    }

    /// <summary>Gives the session the statement's own time limit, where it needs one and there is no transaction for it.</summary>
    public async Task SetTimeoutAsync()
    {
        if (!NeedsTimeout)
            return;
        await using var set = new NpgsqlCommand($"SET statement_timeout = {Milliseconds(Timeout)}", Session);
        await set.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Rolls back. A session that is lost has nothing to roll back, and one that does not answer is closed by its pool.</summary>
    public async Task RollBackAsync()
    {
        try
        {
            await using var command = new NpgsqlCommand("ROLLBACK", Session) { CommandTimeout = 5 };
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
        }
    }

    // The session's own limit is the default one; it must not end a statement that may take longer.
    private bool NeedsTimeout => Timeout > Connection.Timeout || Connection.IsPooled;

    private static string Milliseconds(TimeSpan time) => ((long)Math.Clamp(time.TotalMilliseconds, 1, int.MaxValue)).ToString(CultureInfo.InvariantCulture);

    // A batch has no public property for the types of its results, its command does.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Command")]
    private static extern NpgsqlCommand CommandOf(NpgsqlBatch batch);
}
