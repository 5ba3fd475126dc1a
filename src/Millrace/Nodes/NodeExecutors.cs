using Microsoft.Extensions.Logging;
using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>How an execution ended: with a result, or with a failure.</summary>
internal readonly record struct NodeEnd(Json? Result, NodeFailure? Failure)
{
    public static implicit operator NodeEnd(Json result) => new(result, null);

    public static implicit operator NodeEnd(NodeFailure failure) => new(null, failure);
}

/// <summary>Executes the nodes that do I/O.</summary>
internal sealed class NodeExecutors(SqlExecutor sql, HttpExecutor http, CallExecutor calls, ILogger<NodeExecutors> log)
{
    /// <summary>Executes one node to its end. Only a cancelled token comes out as an exception.</summary>
    public async Task<NodeEnd> ExecuteAsync(NodeContext context, Execute command, CancellationToken cancel)
    {
        try
        {
            return command switch
            {
                ExecuteSql statement => await sql.ExecuteAsync(context, statement, cancel),
                ExecuteHttp request => await http.ExecuteAsync(context.Instance, request, cancel),
                ExecuteCall call => await calls.ExecuteAsync(context.Instance, call, cancel),
                _ => throw new InvalidOperationException($"Nothing executes {command.GetType().Name}."),
            };
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancel.IsCancellationRequested)
        {
            // An error of our own must not leave the instance hanging; its author sees that it is ours, the log says what it is.
            log.NodeBroke(context.Instance, command.Key.Path, e);
            return new NodeFailure("the node could not be executed because of an internal error; the server's log has the cause", "internal", Retryable: false);
        }
    }
}
