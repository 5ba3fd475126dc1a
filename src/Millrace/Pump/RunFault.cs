using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Pump;

/// <summary>
/// An error of our own: an exception that nobody expected. It says nothing about the workflow, so the instance is given back
/// and tried again, and only when that has happened several times in a row it fails.
/// </summary>
/// <param name="Message">What could not be done, for the workflow's author; the server's log has the cause.</param>
/// <param name="Node">The execution that could not be made; null where it was something else.</param>
/// <param name="Tries">How often in a row that execution could not be made, whatever others have done meanwhile.</param>
internal sealed record RunFault(string Message, NodeKey? Node = null, int Tries = 1)
{
    /// <summary>The code of errors of our own.</summary>
    public const string Code = "internal";

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>One that concerns the whole instance.</summary>
    public static RunFault OfInstance { get; } = new("the instance could not be run because of an internal error");

    /// <summary>One that concerns an execution.</summary>
    public static RunFault Of(NodeKey node) => new("the node could not be executed because of an internal error", node);

    /// <summary>The same, counted on from the fault before where that was of the same execution.</summary>
    public RunFault After(RunFault? before) => Node is not null && before?.Node == Node ? this with { Tries = before!.Tries + 1 } : this;

    /// <summary>How long to wait before the next try.</summary>
    /// <param name="tries">How many there have been in a row.</param>
    public static TimeSpan PauseAfter(int tries)
    {
        var pause = TimeSpan.FromSeconds(Math.Pow(2, Math.Clamp(tries - 1, 0, 10)));
        return pause < LongestPause ? pause : LongestPause;
    }

    /// <summary>What to say once no more tries are made.</summary>
    public string Said(int tries) => $"{Message}; it was tried {tries} times in a row, and the server's log has the cause";

    public Json Write() => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("message", Message);
        if (Node is { } node)
        {
            writer.WriteString("path", node.Path);
            writer.WriteNumber("iteration", node.Iteration);
            writer.WriteNumber("attempt", node.Attempt);
            writer.WriteNumber("tries", Tries);
        }

        writer.WriteEndObject();
    });

    public static RunFault Read(Json json)
    {
        var fault = json.Element;
        return new(
            fault.GetProperty("message").GetString()!,
            fault.TryGetProperty("path", out var path)
                ? new NodeKey(path.GetString()!, fault.GetProperty("iteration").GetInt32(), fault.GetProperty("attempt").GetInt32())
                : null,
            // A process of the version before does not count.
            fault.TryGetProperty("tries", out var tries) ? tries.GetInt32() : 1);
    }
}
