using Millrace.Values;

namespace Millrace.Execution;

/// <summary>One ended execution of a node: a line of an instance's history.</summary>
/// <param name="Ordinal">Its place in the instance's history, from 0.</param>
/// <param name="Key">Which execution.</param>
/// <param name="Kind">The node's kind.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Result">Its result; null unless it completed.</param>
/// <param name="Error">Its error; null where it completed.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
public sealed record NodeExecution(
    int Ordinal,
    NodeKey Key,
    string Kind,
    NodeStatus Status,
    Json? Result,
    NodeError? Error,
    DateTimeOffset StartedAt,
    DateTimeOffset EndedAt);

/// <summary>An error, with the place it comes from.</summary>
/// <param name="Message">The cause.</param>
/// <param name="Path">The path of the node that failed; null where no node did.</param>
/// <param name="Kind">That node's kind.</param>
/// <param name="Attempt">The attempt that failed.</param>
/// <param name="Code">SQLSTATE, HTTP status, or a word such as <c>timeout</c>; null where there is none.</param>
/// <param name="Retryable">Whether another attempt could have succeeded.</param>
public sealed record NodeError(string Message, string? Path, string? Kind, int Attempt, string? Code, bool Retryable = true)
{
    /// <summary>How long to wait at the least before another attempt, in whole milliseconds; null where nothing is known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the attempt was not made, and takes none of the node's attempts away.</summary>
    public bool IsHeldBack { get; init; }
}

/// <summary>What the machine decided.</summary>
/// <param name="State">The state from now on.</param>
/// <param name="Commands">What to do outside, once <paramref name="Ended"/> is durable.</param>
/// <param name="Ended">The executions that ended with this decision, in order.</param>
public sealed record Decision(InstanceState State, IReadOnlyList<Command> Commands, IReadOnlyList<NodeExecution> Ended)
{
    /// <summary>For an instance that has failed, the state from which its failed nodes can be tried again; null where they cannot.</summary>
    public InstanceState? Resume { get; init; }
}
