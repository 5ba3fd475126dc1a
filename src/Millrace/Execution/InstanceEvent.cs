using Millrace.Values;

namespace Millrace.Execution;

/// <summary>Something that happened to an instance, with the time at which it did: the machine has no clock.</summary>
/// <param name="At">When, UTC, in whole microseconds (what the store keeps).</param>
public abstract record InstanceEvent(DateTimeOffset At);

/// <summary>The instance begins.</summary>
/// <param name="At">When.</param>
public sealed record Started(DateTimeOffset At) : InstanceEvent(At);

/// <summary>A node that was executed succeeded.</summary>
/// <param name="At">When.</param>
/// <param name="Key">Which execution.</param>
/// <param name="Result">Its result.</param>
public sealed record NodeCompleted(DateTimeOffset At, NodeKey Key, Json Result) : InstanceEvent(At);

/// <summary>A node that was executed failed.</summary>
/// <param name="At">When.</param>
/// <param name="Key">Which execution.</param>
/// <param name="Failure">Why.</param>
public sealed record NodeFailed(DateTimeOffset At, NodeKey Key, NodeFailure Failure) : InstanceEvent(At);

/// <summary>Time has passed: every wait and deadline up to <see cref="InstanceEvent.At"/> is due.</summary>
/// <param name="At">The time it is now.</param>
public sealed record TimerDue(DateTimeOffset At) : InstanceEvent(At);

/// <summary>A signal has come.</summary>
/// <param name="At">When it was taken in.</param>
/// <param name="Signal">The signal. One whose number is not greater than that of the last one taken in changes nothing.</param>
public sealed record SignalArrived(DateTimeOffset At, Signal Signal) : InstanceEvent(At);

/// <summary>Somebody asked for the instance to be cancelled.</summary>
/// <param name="At">When the request reached the instance's worker.</param>
/// <param name="Reason">Why; null where no reason was given.</param>
public sealed record CancelRequested(DateTimeOffset At, string? Reason) : InstanceEvent(At);

/// <summary>The identity of one execution of a node within its instance.</summary>
/// <param name="Path">The node's path; inside a repeated container it also names the repetition.</param>
/// <param name="Iteration">The turn of the nearest loop, from 0.</param>
/// <param name="Attempt">The attempt, from 1.</param>
public readonly record struct NodeKey(string Path, int Iteration, int Attempt);

/// <summary>
/// Why an execution failed. Its words are for people to read, and come along with every list of instances: what a
/// database, a handler or a workflow says at greater length is cut.
/// </summary>
/// <param name="Message">The cause, in words for the workflow's author.</param>
/// <param name="Code">SQLSTATE, HTTP status, or a word such as <c>timeout</c>; null where there is none.</param>
/// <param name="Retryable">Whether another attempt could succeed.</param>
public sealed record NodeFailure(string Message, string? Code = null, bool Retryable = true)
{
    private const int LongestMessage = 16 << 10;
    private const int LongestCode = 200;

    /// <summary>The cause, in words for the workflow's author.</summary>
    public string Message { get; } = Short(Message, LongestMessage);

    /// <summary>SQLSTATE, HTTP status, or a word such as <c>timeout</c>; null where there is none.</summary>
    public string? Code { get; } = Code is null ? null : Short(Code, LongestCode);

    /// <summary>How long to wait at the least before another attempt, in whole milliseconds; null where nothing is known.</summary>
    public TimeSpan? RetryAfter
    {
        get;
        init => field = value is { } wait ? TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)) : null;
    }

    /// <summary>Whether the attempt was not made, because something stood before it. Such a one takes none of the node's attempts away.</summary>
    public bool IsHeldBack { get; init; }

    // What has been cut stays as it is when it is read back. Half of a surrogate pair is no text.
    private static string Short(string text, int longest)
    {
        if (text.Length <= longest || (text.Length == longest + 1 && text[^1] == '…'))
            return text;
        var end = char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest;
        return string.Concat(text.AsSpan(0, end), "…");
    }
}
