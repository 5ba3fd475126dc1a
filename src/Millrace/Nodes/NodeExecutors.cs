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
internal sealed class NodeExecutors(SqlExecutor sql, HttpExecutor http)
{
    /// <summary>Executes one node to its end. Only a cancelled token and errors of our own come out as exceptions.</summary>
    public Task<NodeEnd> ExecuteAsync(Guid instance, Execute command, CancellationToken cancel) => command switch
    {
        ExecuteSql statement => sql.ExecuteAsync(statement, cancel),
        ExecuteHttp request => http.ExecuteAsync(instance, request, cancel),
        _ => throw new InvalidOperationException($"Nothing executes {command.GetType().Name}."),
    };
}
