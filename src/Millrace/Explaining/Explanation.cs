namespace Millrace.Explaining;

/// <summary>The picture of a workflow, or of an instance: what there is to do and how far it has come.</summary>
/// <param name="Workflow">The workflow's name; null for a nameless definition.</param>
/// <param name="Status">The instance's status; null for a definition alone.</param>
/// <param name="Nodes">The nodes in sequence.</param>
public sealed record Explanation(string? Workflow, string? Status, IReadOnlyList<ExplainedNode> Nodes);

/// <summary>One node of the picture.</summary>
public sealed record ExplainedNode
{
    /// <summary>The node's path in the definition.</summary>
    public required string Path { get; init; }

    /// <summary>The author's name for it; null where none was given.</summary>
    public string? Id { get; init; }

    /// <summary>Its kind.</summary>
    public required string Kind { get; init; }

    /// <summary>The name its result is bound to.</summary>
    public string? As { get; init; }

    /// <summary>What it does, in a line.</summary>
    public required string Summary { get; init; }

    /// <summary>
    /// <c>pending</c>, <c>running</c>, <c>waiting</c>, <c>completed</c>, <c>failed</c>, <c>cancelled</c> or <c>skipped</c>;
    /// null for a definition alone.
    /// </summary>
    public string? Status { get; init; }

    /// <summary>The latest attempt; null where there was none.</summary>
    public int? Attempt { get; init; }

    /// <summary>When the latest attempt began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Until when it waits.</summary>
    public DateTimeOffset? WaitingUntil { get; init; }

    /// <summary>What else there is to know of a running node: the signal it waits for, a loop's turn, how many items have ended.</summary>
    public string? Detail { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>What it contains.</summary>
    public IReadOnlyList<ExplainedBranch> Branches { get; init; } = [];
}

/// <summary>A branch of a node.</summary>
/// <param name="Name">What it is called: <c>then</c>, <c>catch</c>, <c>branch 1</c>.</param>
/// <param name="Nodes">Its nodes in sequence.</param>
public sealed record ExplainedBranch(string Name, IReadOnlyList<ExplainedNode> Nodes);
