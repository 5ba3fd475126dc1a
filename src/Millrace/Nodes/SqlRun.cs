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
    public NpgsqlBatch Batch()
    {
        // The token and the server's own limit end a statement; this one ends what is left of one that was given up.
        var batch = new NpgsqlBatch(Session) { Timeout = (int)Math.Min(Timeout.TotalSeconds + 30, int.MaxValue) };
        CommandOf(batch).AllResultTypesAreUnknown = true;
        return batch;
    }

    /// <summary>The statement with its values as parameters.</summary>
    public NpgsqlBatchCommand Statement()
    {
        var statement = new NpgsqlBatchCommand(Text);
        foreach (var value in Command.Parameters)
            statement.Parameters.Add(SqlParameters.Of(value));
        return statement;
    }

    /// <summary>
    /// The settings that the transaction needs beyond its session's; null for none. Sessions behind a transaction pooler
    /// have none of ours.
    /// </summary>
    public NpgsqlBatchCommand? Settings(bool readOnly)
    {
        var settings = new List<string>();
        if (readOnly)
            settings.Add("set_config('transaction_read_only', 'on', true)");
        if (NeedsTimeout)
            settings.Add($"set_config('statement_timeout', '{Milliseconds(Timeout)}', true)");
        if (Connection.IsPooled && !readOnly)
            settings.Add($"set_config('idle_in_transaction_session_timeout', '{Milliseconds(Connection.IdleInTransaction)}', true)");
        return settings is [] ? null : new($"SELECT {string.Join(", ", settings)}");
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
