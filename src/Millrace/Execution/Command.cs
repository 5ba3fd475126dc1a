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
/// <param name="Parts">The parts of a multipart body, likewise; empty for none.</param>
/// <param name="BodyContains">What the response's body must contain; null for anything.</param>
public sealed record ExecuteHttp(
    NodeKey Key, HttpNode Http, string Url, ImmutableArray<KeyValuePair<string, string>> Headers, Json? Body,
    ImmutableArray<RequestPart> Parts, string? BodyContains)
    : Execute(Key, Http);

/// <summary>One part of a multipart body, its templates filled in.</summary>
/// <param name="Part">The part.</param>
/// <param name="Name">The field's name.</param>
/// <param name="FileName">The file's name; null for a plain field.</param>
/// <param name="Content">What it holds.</param>
public sealed record RequestPart(HttpPart Part, string Name, string? FileName, Json Content);

/// <summary>Call a registered handler.</summary>
/// <param name="Key">Which execution.</param>
/// <param name="Call">The node.</param>
/// <param name="Input">The handler's input.</param>
public sealed record ExecuteCall(NodeKey Key, CallNode Call, Json Input) : Execute(Key, Call);

/// <summary>
/// Start child instances, if they have not been started under this key before. Where they are waited for, the end of all
/// of them is reported as the end of the node.
/// </summary>
/// <param name="Key">Which execution.</param>
/// <param name="Node">The node.</param>
/// <param name="Inputs">What each child gets: the input of a workflow, or an item.</param>
/// <param name="Names">What the items' body reads of its surroundings; empty for a workflow.</param>
/// <param name="Resumes">
/// An earlier attempt whose children that completed need not run again, because a caller asked for the failed ones to be
/// retried; null for none.
/// </param>
public sealed record StartChildren(
    NodeKey Key, Node Node, ImmutableArray<Json> Inputs, ImmutableDictionary<string, Json> Names, NodeKey? Resumes = null)
    : Execute(Key, Node)
{
    /// <summary>Whether the node goes on without waiting for them.</summary>
    public bool IsDetached => Node is RunNode { Wait: false };
}

/// <summary>Cancel the children of an execution that nobody waits for any more.</summary>
/// <param name="Key">Which execution.</param>
public sealed record CancelChildren(NodeKey Key) : Command(Key);

/// <summary>Stop an execution whose end nobody waits for any more.</summary>
/// <param name="Key">Which execution.</param>
public sealed record Abandon(NodeKey Key) : Command(Key);
