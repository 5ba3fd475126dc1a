using System.Collections.Immutable;

namespace Millrace.Workflows;

/// <summary>One step of a workflow. Each kind is a record below; the hierarchy is closed.</summary>
public abstract record Node
{
    private protected Node()
    {
    }

    /// <summary>Where the node stands in its definition: a JSON Pointer, such as <c>/do/1/then/0</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The author's own stable name for the node; null where none was given.</summary>
    public string? Id { get; init; }

    /// <summary>The name that the node's result is bound to; null where it is not kept.</summary>
    public string? As { get; init; }

    /// <summary>How failed attempts are repeated; null means the kind's default.</summary>
    public Retry? Retry { get; init; }

    /// <summary>How long one attempt may take; null means the kind's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The kind key as authors write it.</summary>
    public abstract string Kind { get; }

    /// <summary>What history and explain call the node: its id, or else its path.</summary>
    public string Label => Id ?? Path;
}

/// <summary>Runs one statement on a database; its result is <c>{"rows":[…],"row_count":n}</c>.</summary>
/// <param name="Query">The statement; templates are bind parameters.</param>
/// <param name="Connection">The name of the connection; null means the default one.</param>
/// <param name="ReadOnly">Whether it runs in a read-only transaction.</param>
public sealed record SqlNode(SqlTemplate Query, string? Connection, bool ReadOnly) : Node
{
    /// <inheritdoc/>
    public override string Kind => "sql";
}

/// <summary>Sends an HTTP request; its result is the response's envelope.</summary>
/// <param name="Url">The address.</param>
/// <param name="Method">The method, in capitals.</param>
/// <param name="Headers">Header names and values.</param>
/// <param name="Body">The body: a JSON string is sent as text, anything else as JSON; null sends none.</param>
/// <param name="Expect">What the response must be like; null accepts every status below 500.</param>
public sealed record HttpNode(
    TextTemplate Url, string Method, ImmutableArray<HttpHeader> Headers, ValueTemplate? Body, HttpExpectation? Expect) : Node
{
    /// <inheritdoc/>
    public override string Kind => "http";
}

/// <summary>One header of a request.</summary>
/// <param name="Name">A token as RFC 9110 has it.</param>
/// <param name="Value">Its value.</param>
public sealed record HttpHeader(string Name, TextTemplate Value);

/// <summary>What a response must be like; anything else fails the attempt.</summary>
/// <param name="Statuses">The statuses that are right; empty for every one below 500.</param>
/// <param name="BodyContains">Text that the body must contain; null for any body.</param>
public sealed record HttpExpectation(ImmutableArray<int> Statuses, TextTemplate? BodyContains);

/// <summary>Waits; its result is <c>{"slept":true,"seconds":n}</c>.</summary>
/// <param name="Duration">How long: a text that is a duration once its templates are filled in.</param>
public sealed record SleepNode(TextTemplate Duration) : Node
{
    /// <inheritdoc/>
    public override string Kind => "sleep";
}

/// <summary>Binds values to names; its result is the object of them.</summary>
/// <param name="Values">The names and values, in order.</param>
public sealed record SetNode(ObjectValue Values) : Node
{
    /// <inheritdoc/>
    public override string Kind => "set";
}

/// <summary>Takes one of two branches; its result is the taken branch's last result, or null.</summary>
/// <param name="Condition">What decides.</param>
/// <param name="Then">The nodes for a true condition.</param>
/// <param name="Else">The nodes for a false one; may be empty.</param>
public sealed record IfNode(Condition Condition, ImmutableArray<Node> Then, ImmutableArray<Node> Else) : Node
{
    /// <inheritdoc/>
    public override string Kind => "if";
}

/// <summary>Ends the instance with a result.</summary>
/// <param name="Value">The result.</param>
public sealed record ReturnNode(ValueTemplate Value) : Node
{
    /// <inheritdoc/>
    public override string Kind => "return";
}

/// <summary>Ends the instance with a failure.</summary>
/// <param name="Message">Why.</param>
public sealed record FailNode(TextTemplate Message) : Node
{
    /// <inheritdoc/>
    public override string Kind => "fail";
}
