using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Faults;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>
/// Runs the statement of a SQL node, and rides out what is not its fault: a database that is away or restarts, a lost
/// connection, a deadlock. Whatever the fault left behind, receipts keep the effects from happening twice.
/// </summary>
internal sealed class SqlExecutor(
    SqlConnections connections, SqlStatement statement, IOptions<MillraceOptions> options, TimeProvider time, ILogger<SqlExecutor> log)
{
    private readonly SqlOptions settings = options.Value.Sql;
    private readonly Patience patience = new(time, StoreFaults.IsPassingForStatement);

    public async Task<NodeEnd> ExecuteAsync(NodeContext context, ExecuteSql command, CancellationToken cancel)
    {
        // Where the databases are, and how they are logged in to, is for whoever runs the server, and so for its log.
        if (connections.Find(command.Sql.Connection) is not { } connection)
        {
            log.ConnectionUnknown(command.Key.Path, context.Instance, command.Sql.Connection!, string.Join(", ", connections.Names));
            return new NodeFailure($"there is no connection named \"{command.Sql.Connection}\" (Millrace:Connections)", "connection", Retryable: false);
        }

        if (StatementWords.ControlsTransactions(command.Sql.Query.Text))
        {
            return new NodeFailure(
                "every SQL node has a transaction of its own, which it cannot begin or end; put what belongs together into one statement (WITH …) or into a function",
                "2D000", Retryable: false);
        }

        var timeout = command.Sql.Timeout ?? settings.Timeout;
        var tries = 0;
        try
        {
            return await patience.RideOutAsync(
                timeout < settings.FaultTimeout ? timeout : settings.FaultTimeout,
                (before, token) =>
                {
                    tries = before + 1;
                    return TryAsync(connection, before == 0 ? context : context with { MayRepeat = true }, command, timeout, token);
                },
                cancel);
        }
        catch (SessionRefusedException e)
        {
            log.DatabaseNotReached(connection.Name, tries, e);
            return new NodeFailure($"the database of connection \"{connection.Name}\" refuses the session ({e.Code}); the server's log has the cause", e.Code);
        }
        catch (PostgresException e) when (!StoreFaults.SaysTheServerIsAway(e))
        {
            cancel.ThrowIfCancellationRequested();
            return new NodeFailure(After(tries, e.MessageText), e.SqlState);
        }
        catch (NpgsqlException e)
        {
            cancel.ThrowIfCancellationRequested();
            log.DatabaseNotReached(connection.Name, tries, e);
            return new NodeFailure(
                After(tries, $"the database of connection \"{connection.Name}\" cannot be reached; the server's log has the cause"), e.SqlState ?? "connection");
        }
        catch (ReceiptException e)
        {
            return new NodeFailure(e.Message, "receipt", Retryable: false);
        }
    }

    private async Task<NodeEnd> TryAsync(SqlConnection connection, NodeContext context, ExecuteSql command, TimeSpan timeout, CancellationToken cancel)
    {
        if (connection.Pipeline is { } pipeline && pipeline.Takes(context, command) && await pipeline.ExecuteAsync(command).WaitAsync(cancel) is { } end)
            return end;
        var wait = command.Sql.Timeout is { } own && own < settings.PlaceTimeout ? own : settings.PlaceTimeout;
        using var limit = new StatementLimit(wait, cancel);
        IDisposable place;
        try
        {
            place = await connection.Places.EnterAsync(context.Organisation, context.Instance, limit.Stop);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new NodeFailure($"no place came free on connection \"{connection.Name}\" within {wait}; the statement was not executed", "busy");
        }

        using var held = place;
        limit.Begin(timeout);
        try
        {
            return await WaitAsync(statement.RunAsync(connection, context, command, timeout, limit), limit);
        }
        catch (OperationCanceledException) when (limit.IsLost)
        {
            throw new NpgsqlException("the connection was lost: the server does not execute the statement any more", new IOException());
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return TimedOut(timeout);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled)
        {
            cancel.ThrowIfCancellationRequested();
            return limit.Stop.IsCancellationRequested ? TimedOut(timeout) : new NodeFailure(e.MessageText, e.SqlState);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction && command.Sql.ReadOnly)
        {
            // It is the node that says so, and no standby.
            return new NodeFailure(e.MessageText, e.SqlState);
        }
        catch (NpgsqlException e) when (StoreFaults.IsLostConnection(e))
        {
            connection.Clear();
            throw;
        }
    }

    // A statement that was given up ends by itself some time, and nobody looks at how.
    private static async Task<NodeEnd> WaitAsync(Task<NodeEnd> run, StatementLimit limit)
    {
        try
        {
            return await run.WaitAsync(limit.GiveUp);
        }
        catch (OperationCanceledException) when (!run.IsCompleted)
        {
            _ = run.ContinueWith(static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }
    }

    private static NodeFailure TimedOut(TimeSpan timeout) => new($"timed out after {timeout}; the statement was cancelled on the server", "timeout");

    private static string After(int tries, string message) => tries > 1 ? $"{message} (after {tries:N0} tries)" : message;
}
