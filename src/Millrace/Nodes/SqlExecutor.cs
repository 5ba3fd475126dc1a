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
internal sealed class SqlExecutor(SqlConnections connections, SqlStatement statement, IOptions<MillraceOptions> options, TimeProvider time)
{
    private readonly SqlOptions settings = options.Value.Sql;
    private readonly Patience patience = new(time, StoreFaults.IsPassingForStatement);

    public async Task<NodeEnd> ExecuteAsync(NodeContext context, ExecuteSql command, CancellationToken cancel)
    {
        if (connections.Find(command.Sql.Connection) is not { } connection)
        {
            return new NodeFailure($"there is no connection named \"{command.Sql.Connection}\"; known are {string.Join(", ", connections.Names)}"
                + " (Millrace:Connections)", "connection", Retryable: false);
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
        catch (PostgresException e)
        {
            cancel.ThrowIfCancellationRequested();
            return new NodeFailure(After(tries, e.MessageText), e.SqlState);
        }
        catch (NpgsqlException e)
        {
            cancel.ThrowIfCancellationRequested();
            return new NodeFailure(After(tries, e.Message), "connection");
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
        await connection.Places.WaitAsync(cancel);
        using var limit = new StatementLimit(timeout, cancel);
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
            connection.Source.Clear();
            throw;
        }
        finally
        {
            connection.Places.Release();
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
