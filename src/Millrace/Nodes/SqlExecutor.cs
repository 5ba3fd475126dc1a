using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Values;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Nodes;

/// <summary>Runs the statement of a SQL node: one statement, values bound as parameters, one round trip.</summary>
internal sealed class SqlExecutor(SqlConnections connections, IOptions<MillraceOptions> options)
{
    private readonly SqlOptions settings = options.Value.Sql;
    private readonly SqlResultWriter results = new(options.Value.Sql.MaxRows, options.Value.Limits.ResultBytes);

    public async Task<NodeEnd> ExecuteAsync(ExecuteSql command, CancellationToken cancel)
    {
        if (connections.Find(command.Sql.Connection) is not { } connection)
        {
            return new NodeFailure($"there is no connection named \"{command.Sql.Connection}\"; known are {string.Join(", ", connections.Names)}"
                + " (Millrace:Connections)", "connection", Retryable: false);
        }

        var timeout = command.Sql.Timeout ?? settings.Timeout;
        await connection.Places.WaitAsync(cancel);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(timeout);
        try
        {
            return await RunAsync(connection.Source, command, timeout, limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return TimedOut(timeout);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled)
        {
            cancel.ThrowIfCancellationRequested();
            return limit.IsCancellationRequested ? TimedOut(timeout) : new NodeFailure(e.MessageText, e.SqlState);
        }
        catch (PostgresException e)
        {
            return new NodeFailure(e.MessageText, e.SqlState);
        }
        catch (NpgsqlException e)
        {
            cancel.ThrowIfCancellationRequested();
            return new NodeFailure(e.Message, "connection");
        }
        finally
        {
            connection.Places.Release();
        }
    }

    private static NodeFailure TimedOut(TimeSpan timeout) => new($"timed out after {timeout}; the statement was cancelled on the server", "timeout");

    private async Task<NodeEnd> RunAsync(NpgsqlDataSource source, ExecuteSql command, TimeSpan timeout, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        if (timeout > settings.Timeout)
            await RaiseTimeoutAsync(connection, timeout, cancel);

        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        CommandOf(batch).AllResultTypesAreUnknown = true;
        if (command.Sql.ReadOnly)
            batch.BatchCommands.Add(ReadOnlyCommand());
        batch.BatchCommands.Add(StatementCommand(command));

        await using var reader = await batch.ExecuteReaderAsync(cancel);
        if (command.Sql.ReadOnly)
            await reader.NextResultAsync(cancel);
        return await results.WriteAsync(reader, cancel);
    }

    // Statements of one batch share a transaction, so this holds for the next one only, at no further round trip.
    private static NpgsqlBatchCommand ReadOnlyCommand() => new("SELECT set_config('transaction_read_only', 'on', true)");

    // The pool's own limit is the default one; the server's copy of it must not end a node that may take longer.
    private static async Task RaiseTimeoutAsync(NpgsqlConnection connection, TimeSpan timeout, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"SET statement_timeout = {(long)Math.Min(timeout.TotalMilliseconds, int.MaxValue)}", connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static NpgsqlBatchCommand StatementCommand(ExecuteSql command)
    {
        var statement = new NpgsqlBatchCommand(command.Sql.Query.Text);
        foreach (var value in command.Parameters)
            statement.Parameters.Add(Parameter(value));
        return statement;
    }

    /// <summary>
    /// A value as the parameter that its literal would be: a text's type is left to the server, as a quoted literal's is;
    /// a number is integer, bigint or numeric by its size; objects and arrays are jsonb.
    /// </summary>
    internal static NpgsqlParameter Parameter(Json value)
    {
        var element = value.Element;
        return element.ValueKind switch
        {
            JsonValueKind.Null => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = DBNull.Value },
            JsonValueKind.True or JsonValueKind.False => new NpgsqlParameter<bool> { TypedValue = element.GetBoolean() },
            JsonValueKind.String => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = element.GetString() },
            JsonValueKind.Number when element.TryGetInt32(out var number) => new NpgsqlParameter<int> { TypedValue = number },
            JsonValueKind.Number when element.TryGetInt64(out var number) => new NpgsqlParameter<long> { TypedValue = number },
            JsonValueKind.Number when element.TryGetDecimal(out var number) => new NpgsqlParameter<decimal> { TypedValue = number },
            JsonValueKind.Number => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = element.GetRawText() },
            _ => new() { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = value.Utf8.ToArray() },
        };
    }

    // Results are asked for as text, which every type has. A batch has no public property for that, its command does.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Command")]
    private static extern NpgsqlCommand CommandOf(NpgsqlBatch batch);
}
