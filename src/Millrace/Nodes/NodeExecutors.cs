using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>How an execution ended: with a result, or with a failure.</summary>
internal readonly record struct NodeEnd(Json? Result, NodeFailure? Failure)
{
    /// <summary>What a node brings in, if it may be kept: this is where every result from outside passes.</summary>
    public static implicit operator NodeEnd(Json result) => JsonDoor.Refusal(result) is { } why
        ? new(null, new($"the result cannot be kept: {why}", "result", Retryable: false))
        : new(result, null);

    public static implicit operator NodeEnd(NodeFailure failure) => new(null, failure);
}

/// <summary>Executes the nodes that do I/O.</summary>
internal sealed class NodeExecutors(SqlExecutor sql, HttpExecutor http, CallExecutor calls)
{
    /// <summary>
    /// Executes one node to its end. A failure is what the statement, the peer, the handler or the definition has done; an
    /// exception that comes out of here is ours, and says nothing about the node.
    /// </summary>
    public async Task<NodeEnd> ExecuteAsync(NodeContext context, Execute command, CancellationToken cancel) => command switch
    {
        ExecuteSql statement => await sql.ExecuteAsync(context, statement, cancel),
        ExecuteHttp request => await http.ExecuteAsync(context, request, cancel),
        ExecuteCall call => await calls.ExecuteAsync(context.Instance, call, cancel),
        _ => throw new InvalidOperationException($"Nothing executes {command.GetType().Name}."),
    };
}
