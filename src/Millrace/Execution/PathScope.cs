using System.Globalization;
using System.Text.RegularExpressions;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>
/// Turns a node's path in the definition into its identity in this run, so that every execution of an instance has one of
/// its own. They are the same path, with marks where a container around the node is being attempted again
/// (<c>/do/1@2/then/0</c>), or goes on after a caller's retry from where an earlier attempt stood (<c>/do/1@2~1/then/0</c>),
/// runs for one of several items (<c>/do/1[7]/do/0</c>), or is a loop that an outer loop turns
/// (<c>/do/0/loop/1#3/loop/0</c>); the turn of the nearest loop is the execution's iteration.
/// </summary>
/// <param name="Container">The nearest marked container's path in the definition.</param>
/// <param name="Run">The same in this run.</param>
/// <param name="Iteration">The turn of the nearest loop, from 0.</param>
public readonly partial record struct PathScope(string Container, string Run, int Iteration)
{
    /// <summary>The top of a workflow.</summary>
    public static PathScope Root { get; } = new("", "", 0);

    /// <summary>A node's path in this run.</summary>
    public string Of(Node node) => Of(node.Path);

    /// <summary>A path of the definition in this run.</summary>
    public string Of(string path) => Container.Length == Run.Length ? path : string.Concat(Run, path.AsSpan(Container.Length));

    /// <summary>The identity of an attempt of a node.</summary>
    public NodeKey Key(Node node, int attempt) => new(Of(node), Iteration, attempt);

    /// <summary>
    /// A path without the marks of callers' retries: what goes on from an earlier attempt of a container has the same
    /// effects as it had in that one.
    /// </summary>
    /// <param name="run">A path in a run.</param>
    public static string EffectOf(string run) =>
        run.Contains('~', StringComparison.Ordinal) ? GoesOn().Replace(run, static mark => mark.Groups[1].ValueSpan is "1" ? "" : $"@{mark.Groups[1]}") : run;

    internal PathScope Within(Node container, NodeFrame frame) => Within(container, frame.Attempt, frame.Since);

    internal PathScope Within(Node container, int attempt, int since) =>
        attempt == 1 ? this : new(container.Path, Mark(container, attempt, since), Iteration);

    /// <summary>Inside a <c>try</c>: each run of its <c>finally</c> is one of its own.</summary>
    internal PathScope Within(TryNode node, NodeFrame frame, Trying trying) =>
        Within(node, frame.Attempt, trying is { Stage: TryStage.Finally, Since: { } since } ? since : frame.Since);

    internal PathScope WithinTurn(Node loop, NodeFrame frame, int turn) => WithinTurn(loop, frame.Attempt, frame.Since, turn);

    internal PathScope WithinTurn(Node loop, int attempt, int since, int turn)
    {
        if (attempt == 1 && Iteration == 0)
            return this with { Iteration = turn };
        var outer = Iteration == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"#{Iteration}");
        return new(loop.Path, Of(loop) + outer + Attempt(attempt, since), turn);
    }

    internal PathScope WithinItem(Node forEach, NodeFrame frame, int index) => WithinItem(forEach, frame.Attempt, frame.Since, index);

    internal PathScope WithinItem(Node forEach, int attempt, int since, int index) =>
        new(forEach.Path, string.Create(CultureInfo.InvariantCulture, $"{Mark(forEach, attempt, since)}[{index}]"), Iteration);

    private string Mark(Node container, int attempt, int since) => Of(container) + Attempt(attempt, since);

    private static string Attempt(int attempt, int since) =>
        attempt == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"@{attempt}{(since < attempt ? $"~{since}" : "")}");

    [GeneratedRegex(@"@\d+~(\d+)", RegexOptions.CultureInvariant)]
    private static partial Regex GoesOn();
}
