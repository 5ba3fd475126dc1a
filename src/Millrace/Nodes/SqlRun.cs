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
    /// <summary>What the values of a result look like: every session begins with that, or its transaction does.</summary>
    public static readonly IReadOnlyList<(string Name, string Value)> Looks =
        [("DateStyle", "ISO"), ("IntervalStyle", "postgres"), ("bytea_output", "hex"), ("extra_float_digits", "1")];

    /// <summary>The statement's text.</summary>
    public string Text => Command.Sql.Query.Text;

    /// <summary>An empty batch, whose results will be text, which every type has.</summary>
    public NpgsqlBatch Batch() => Batch(Session, Timeout);

    /// <summary>An empty batch, whose results will be text, which every type has.</summary>
    public static NpgsqlBatch Batch(NpgsqlConnection session, TimeSpan timeout)
    {
        // The token and the server's own limit end a statement; this one ends what is left of one that was given up.
        // Npgsql counts it in milliseconds, and none at all as no limit.
        var limit = timeout + TimeSpan.FromSeconds(30);
        var batch = new NpgsqlBatch(session) { Timeout = limit < TimeLimit.Longest ? (int)limit.TotalSeconds : 0 };
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
        if (!Connection.IsPooled)
            return new(settings);
        var idle = mayWrite ? $", set_config('idle_in_transaction_session_timeout', '{Milliseconds(Connection.IdleInTransaction)}', true)" : "";
        return new($"{settings}, {PooledLooks}{idle}");
    }

    /// <summary>Gives the session the statement's own time limit, where it needs one and there is no transaction for it.</summary>
    public async Task SetTimeoutAsync()
    {
        // Behind a transaction pooler it would be set for whoever is given that session next.
        if (!NeedsTimeout || Connection.IsPooled)
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

    private static readonly string PooledLooks =
        string.Join(", ", Looks.Append(("TimeZone", "UTC")).Select(look => $"set_config('{look.Item1}', '{look.Item2}', true)"));

    // PostgreSQL counts in 31 bits, and none at all as no limit.
    private static string Milliseconds(TimeSpan time) =>
        (time.TotalMilliseconds > int.MaxValue ? 0 : (long)Math.Max(time.TotalMilliseconds, 1)).ToString(CultureInfo.InvariantCulture);

    // A batch has no public property for the types of its results, its command does.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Command")]
    private static extern NpgsqlCommand CommandOf(NpgsqlBatch batch);
}
