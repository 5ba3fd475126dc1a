using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>What the machine wants done outside.</summary>
/// <param name="Key">Which execution it concerns.</param>
public abstract record Command(NodeKey Key);

/// <summary>Execute a node; its end is reported as <see cref="NodeCompleted"/> or <see cref="NodeFailed"/>.</summary>
/// <param name="Key">Which execution.</param>
/// <param name="Node">The node.</param>
public abstract record Execute(NodeKey Key, Node Node) : Command(Key);

/// <summary>Run a statement.</summary>
/// <param name="Key">Which execution.</param>
/// <param name="Sql">The node.</param>
/// <param name="Parameters">The values of its parameters, in order.</param>
public sealed record ExecuteSql(NodeKey Key, SqlNode Sql, ImmutableArray<Json> Parameters) : Execute(Key, Sql);

/// <summary>Send a request.</summary>
/// <param name="Key">Which execution.</param>
/// <param name="Http">The node.</param>
/// <param name="Url">The address, its templates filled in.</param>
/// <param name="Headers">The headers, likewise.</param>
/// <param name="Body">The body, likewise; null for none.</param>
/// <param name="BodyContains">What the response's body must contain; null for anything.</param>
public sealed record ExecuteHttp(
    NodeKey Key, HttpNode Http, string Url, ImmutableArray<KeyValuePair<string, string>> Headers, Json? Body, string? BodyContains)
    : Execute(Key, Http);

/// <summary>Stop an execution whose end nobody waits for any more.</summary>
/// <param name="Key">Which execution.</param>
public sealed record Abandon(NodeKey Key) : Command(Key);
