using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>
/// Turns a node's path in the definition into its path in this run. They are the same, except inside a container that
/// is being attempted again: there the container's part is marked with the attempt (<c>/do/1@2/then/0</c>), so that
/// every execution of an instance has a key of its own.
/// </summary>
/// <param name="Container">The container's path in the definition.</param>
/// <param name="Run">The same in this run.</param>
internal readonly record struct PathScope(string Container, string Run)
{
    public static PathScope Root { get; } = new("", "");

    public string Of(Node node) => Of(node.Path);

    public string Of(string path) => Container.Length == Run.Length ? path : string.Concat(Run, path.AsSpan(Container.Length));

    public PathScope Within(Node container, int attempt) =>
        attempt == 1 ? this : new(container.Path, $"{Of(container)}@{attempt}");
}
