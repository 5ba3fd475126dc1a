using System.Data;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Faults;
using Millrace.Store;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>
/// Executes one statement once, in one of four ways. Each leaves either all of its effects, with a receipt, or none.
/// <list type="bullet">
/// <item>A <c>readOnly</c> one, in a read-only transaction: one round trip.</item>
/// <item>One that wrote nothing so far, in one round trip too: behind it stands a guard that rolls everything back should
/// it have written this time, and then it is executed the third way.</item>
/// <item>Any other one, in two: the statement; then, if it wrote, its receipt and the commit.</item>
/// <item>One that cannot run inside a transaction, alone. It may happen twice if its worker dies.</item>
/// </list>
/// </summary>
internal sealed class SqlStatement(IOptions<MillraceOptions> options, TimeProvider time, ReceiptStore store)
{
    // No column of a user has this name by accident: it tells our result from the statement's, which may have none.
    private static readonly string Marker = $"millrace_{Guid.NewGuid():N}";
    private readonly SqlResultWriter results = new(options.Value.Sql.MaxRows, options.Value.Limits.ResultBytes);

    /// <summary>Executes it, until the limit is cancelled.</summary>
    /// <exception cref="SessionRefusedException">The database takes no session of this login.</exception>
    public async Task<NodeEnd> RunAsync(SqlConnection connection, NodeContext context, ExecuteSql command, TimeSpan timeout, StatementLimit limit)
    {
        try
        {
            return await RunOnceAsync(connection, context, command, timeout, limit);
        }
        catch (PostgresException e) when (StatementFaults.IsStale(e, connection, command.Sql.Query.Text))
        {
            // What a session had prepared is gone, or does not fit a table any more; a new one prepares it anew.
            connection.Clear();
            return await RunOnceAsync(connection, context, command, timeout, limit);
        }
    }

    private async Task<NodeEnd> RunOnceAsync(SqlConnection connection, NodeContext context, ExecuteSql command, TimeSpan timeout, StatementLimit limit)
    {
        var isWary = connection.IsWaryOf(command.Sql.Query.Text);
        await using var session = await OpenAsync(isWary ? connection.Wary : connection.Source, limit.Stop);
        using var watched = connection.Watch?.Watch(session, limit);
        var run = new SqlRun(connection, session, context, command, timeout, limit.Stop);
        try
        {
            return await RunAsync(run);
        }
        catch (NotSupportedException)
        {
            // Npgsql closes a session that it cannot go on with, and so whatever the statement had begun is rolled back.
            return new NodeFailure(
                "COPY FROM STDIN and TO STDOUT move data between a database and a client; select the rows, or insert them from a parameter", "0A000", Retryable: false);
        }
        catch (Exception e) when (e is not (NpgsqlException or OperationCanceledException) && session.FullState is not ConnectionState.Open)
        {
            // Whatever was done after a fault with a session that was lost by it, or what a pooler has sent when it lost the
            // server in the middle of an answer: it may be tried again with another one.
            throw new NpgsqlException("the connection was lost", new IOException(e.Message, e));
        }
        finally
        {
            if (isWary)
                await SessionReset.PutBackAsync(connection, session, run.Text);
        }
    }

    private static async ValueTask<NpgsqlConnection> OpenAsync(NpgsqlDataSource source, CancellationToken cancel)
    {
        try
        {
            return await source.OpenConnectionAsync(cancel);
        }
        catch (PostgresException e) when (!StoreFaults.IsPassingForStatement(e))
        {
            throw new SessionRefusedException(e);
        }
        catch (Exception e) when (e is not (NpgsqlException or OperationCanceledException))
        {
            // The first session reads the database's types. What it gets may end in the middle, with the words of a pooler
            // that has lost the server in place of the rest.
            throw new NpgsqlException("the connection could not be made", new IOException(e.Message, e));
        }
    }

    /// <summary>
    /// Executes statements that are known to read, one after the other and each in a transaction of its own, in one round
    /// trip. The first failure ends it.
    /// </summary>
    /// <param name="connection">Where.</param>
    /// <param name="commands">What.</param>
    /// <param name="add">Takes their ends, in their order.</param>
    /// <param name="limit">How long it may take.</param>
    public async Task ReadAllAsync(SqlConnection connection, IReadOnlyList<ExecuteSql> commands, Action<NodeEnd> add, StatementLimit limit)
    {
        await using var session = await OpenAsync(connection.Source, limit.Stop);
        using var watched = connection.Watch?.Watch(session, limit);
        await using var batch = SqlRun.Batch(session, connection.Timeout);
        foreach (var command in commands)
        {
            if (command.Sql.ReadOnly)
                batch.BatchCommands.Add(new("BEGIN READ ONLY"));
            batch.BatchCommands.Add(SqlRun.Statement(command));
            // The barrier ends what the guard has to undo.
            batch.BatchCommands.Add(new(command.Sql.ReadOnly ? "COMMIT" : WroteGuard) { AppendErrorBarrier = true });
        }

        await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, limit.Stop);
        foreach (var command in commands)
        {
            var end = await results.WriteAsync(reader, connection.Types, limit.Stop);
            await reader.NextResultAsync(limit.Stop);
            if (end.Failure is not null)
                return;
            if (!command.Sql.ReadOnly)
                await reader.NextResultAsync(limit.Stop);
            add(end);
        }
    }

    private async Task<NodeEnd> RunAsync(SqlRun run)
    {
        if (run.Command.Sql.ReadOnly)
            return await ReadAsync(run, guarded: false);
        var habits = run.Connection.Habits;
        if (habits.Of(run.Text) is Habit.Alone)
            return await AloneAsync(run);
        if (habits.Of(run.Text) is Habit.Reads && !run.Context.MayRepeat)
        {
            try
            {
                return await ReadAsync(run, guarded: true);
            }
            catch (PostgresException e) when (e.BatchCommand?.CommandText == WroteGuard)
            {
                habits.Learn(run.Text, Habit.Writes);
            }
        }

        try
        {
            return await WriteAsync(run);
        }
        catch (PostgresException e) when (StatementFaults.CannotRunInTransaction(e))
        {
            habits.Learn(run.Text, Habit.Alone);
            return await AloneAsync(run);
        }
    }

    // Statements of one batch share a transaction, which ends with it where nothing begins one of its own.
    private async Task<NodeEnd> ReadAsync(SqlRun run, bool guarded)
    {
        await using var batch = run.Batch();
        if (!guarded)
            batch.BatchCommands.Add(new("BEGIN READ ONLY"));
        var results = Add(batch, run.Settings(mayWrite: guarded));
        var place = batch.BatchCommands.Count;
        batch.BatchCommands.Add(run.Statement());
        batch.BatchCommands.Add(new(guarded ? WroteGuard : "COMMIT"));
        var begun = time.GetTimestamp();
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, run.Cancel);
            for (; results > 0; results--)
                await reader.NextResultAsync(run.Cancel);
            var hasRows = reader.FieldCount > 0 && reader.GetName(0) != Marker;
            var end = await ResultToEndAsync(run, batch, reader, place);
            if (hasRows && end.Failure is null)
                run.Connection.Pipeline?.Learn(run.Text, time.GetElapsedTime(begun));
            return end;
        }
        catch when (!guarded)
        {
            await run.RollBackAsync();
            throw;
        }
    }

    private async Task<NodeEnd> WriteAsync(SqlRun run)
    {
        var receipts = run.Connection.Receipts;
        var seal = await store.SealAsync(run.Cancel);
        var receipt = seal.Of(run.Context, run.Command.Key);
        for (var isSecond = false; ; isSecond = true)
        {
            var table = await receipts.FindAsync(run.Session, afresh: run.Context.MayRepeat, run.Cancel);
            try
            {
                var (end, wrote) = await ExecuteInTransactionAsync(run, run.Context.MayRepeat ? table : null, receipt);
                if (end.Failure is not null)
                {
                    await run.RollBackAsync();
                    return end;
                }

                FaultPoint.Pass(FaultPoint.SqlExecuted);
                if (!wrote || table is not null)
                {
                    await CommitAsync(run, wrote ? table!.Insert(receipt, seal, end.Result!) : null);
                    // One that may commit in its middle, the next time, needs the transaction around it that keeps it from that.
                    run.Connection.Habits.Learn(run.Text, wrote || StatementWords.MayCommit(run.Text) ? Habit.Writes : Habit.Reads);
                    return end;
                }
            }
            catch (PostgresException e) when (!isSecond && table is not null && StatementFaults.IsUnusable(e, table))
            {
                // Somebody has dropped it, or taken it away from the login.
                receipts.Forget();
            }
            catch (PostgresException e) when (table is not null && run.Session.FullState is ConnectionState.Open && (run.Context.MayRepeat || StatementFaults.IsDouble(e, table)))
            {
                // It has been done before; or it fails because of just that, by an execution that committed in this moment.
                await run.RollBackAsync();
                if (await table.ResultAsync(run.Session, receipt, seal, run.Cancel) is { } first)
                    return first;
                throw;
            }
            catch
            {
                await run.RollBackAsync();
                throw;
            }

            await run.RollBackAsync();
            if (await receipts.FindAsync(run.Session, afresh: true, run.Cancel) is null)
                await receipts.CreateAsync(run.Session, run.Cancel);
        }
    }

    // Executes the statement and leaves the transaction open; tells whether it has written anything. One that usually
    // writes is not asked about: a receipt for nothing does no harm.
    private async Task<(NodeEnd End, bool Wrote)> ExecuteInTransactionAsync(SqlRun run, Receipts? guardedBy, Receipt receipt)
    {
        await using var batch = run.Batch();
        batch.BatchCommands.Add(new("BEGIN"));
        var results = Add(batch, run.Settings(mayWrite: true));
        if (guardedBy is not null)
            results += Add(batch, guardedBy.Guard(receipt));
        var place = batch.BatchCommands.Count;
        batch.BatchCommands.Add(run.Statement());
        var isAsked = run.Connection.Habits.Of(run.Text) is not Habit.Writes;
        if (isAsked)
            batch.BatchCommands.Add(new(WroteQuestion));

        await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, run.Cancel);
        for (; results > 0; results--)
            await reader.NextResultAsync(run.Cancel);
        var end = await ResultAsync(run, batch, reader, place);
        if (end.Failure is not null || !isAsked)
            return (end, end.Failure is null);
        await reader.ReadAsync(run.Cancel);
        return (end, reader.GetString(0) is "t");
    }

    // The result of the statement, with the reader on what follows it. One without rows has no result of its own.
    private async Task<NodeEnd> ResultAsync(SqlRun run, NpgsqlBatch batch, NpgsqlDataReader reader, int place)
    {
        var statement = batch.BatchCommands[place];
        if (reader.FieldCount > 0 && reader.GetName(0) == Marker)
            return SqlResultWriter.WithoutRows(Math.Max(statement.RecordsAffected, 0));
        if (reader.FieldCount == 0 && !reader.HasRows)
        {
            await reader.NextResultAsync(run.Cancel);
            return SqlResultWriter.WithoutRows(Math.Max(statement.RecordsAffected, 0));
        }

        var end = await results.WriteAsync(reader, run.Connection.Types, run.Cancel);
        if (end.Failure is not null)
        {
            // What is left of it need not be sent only to be thrown away.
            batch.Cancel();
            return end;
        }

        await reader.NextResultAsync(run.Cancel);
        return end;
    }

    private static async Task CommitAsync(SqlRun run, NpgsqlBatchCommand? receipt)
    {
        await using var batch = run.Batch();
        Add(batch, receipt);
        batch.BatchCommands.Add(new("COMMIT"));
        var answer = batch.ExecuteNonQueryAsync(run.Cancel);
        FaultPoint.Pass(FaultPoint.SqlCommitting);
        await answer;
        FaultPoint.Pass(FaultPoint.SqlCommitted);
    }

    private async Task<NodeEnd> AloneAsync(SqlRun run)
    {
        await run.SetTimeoutAsync();
        await using var batch = run.Batch();
        batch.BatchCommands.Add(run.Statement());
        await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, run.Cancel);
        return await ResultToEndAsync(run, batch, reader, 0);
    }

    // The end of the last result is where late errors come to light, and what the transaction's end is waited for with.
    private async Task<NodeEnd> ResultToEndAsync(SqlRun run, NpgsqlBatch batch, NpgsqlDataReader reader, int place)
    {
        var end = await ResultAsync(run, batch, reader, place);
        while (end.Failure is null && await reader.NextResultAsync(run.Cancel))
        {
        }

        return end;
    }

    // A transaction has got an id as soon as it has written, whatever it was that wrote.
    private static readonly string WroteQuestion = $"SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS {Marker}";

    private static readonly string WroteGuard =
        $"SELECT ('a statement that had only read has written; it is executed again with a receipt: ' || pg_current_xact_id_if_assigned())::integer AS {Marker}"
        + " WHERE pg_current_xact_id_if_assigned() IS NOT NULL";

    private static int Add(NpgsqlBatch batch, NpgsqlBatchCommand? command)
    {
        if (command is null)
            return 0;
        batch.BatchCommands.Add(command);
        return 1;
    }
}
