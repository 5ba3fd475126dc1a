using System.Collections.Immutable;

namespace Millrace.Workflows;

/// <summary>One step of a workflow. Each kind is a record of its own; the hierarchy is closed.</summary>
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

    /// <summary>What undoes the node if the instance later fails or is cancelled; empty for nothing.</summary>
    public ImmutableArray<Node> Compensate { get; init; } = [];

    /// <summary>The kind key as authors write it.</summary>
    public abstract string Kind { get; }

    /// <summary>What history and explain call the node: its id, or else its path.</summary>
    public string Label => Id ?? Path;

    /// <summary>The sequences inside the node, each with what it is called, in the order of the definition.</summary>
    public virtual IEnumerable<Body> Bodies => [];

    /// <summary>The names that the node's own templates and conditions read, those of nodes inside it not included.</summary>
    internal virtual IEnumerable<string> Reads => [];
}

/// <summary>A sequence inside a node.</summary>
/// <param name="Name">What it is called: <c>then</c>, <c>catch</c>, <c>branch 1</c>.</param>
/// <param name="Nodes">Its nodes.</param>
public readonly record struct Body(string Name, ImmutableArray<Node> Nodes);
