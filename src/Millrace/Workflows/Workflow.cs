using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>A definition, read and checked: what an instance follows.</summary>
/// <param name="Name">The name the definition gives itself; null where it gives none.</param>
/// <param name="Do">The nodes, in sequence.</param>
/// <param name="Document">The definition as JSON without insignificant white space.</param>
public sealed record Workflow(string? Name, ImmutableArray<Node> Do, Json Document)
{
    private readonly Lazy<FrozenDictionary<string, Node>> byPath = new(() => Within(Do).ToFrozenDictionary(node => node.Path, StringComparer.Ordinal));

    /// <summary>SHA-256 of <see cref="Document"/>: the identity of this content.</summary>
    public byte[] Hash { get; } = SHA256.HashData(Document.Utf8.Span);

    /// <summary>About how much memory it takes: small nodes with templates were weighed at 16 times their text.</summary>
    public long Bytes => 1024 + (16L * Document.Utf8.Length);

    /// <summary>The node that stands at a path of the definition.</summary>
    public Node NodeAt(string path) => byPath.Value[path];

    /// <summary>Every node of a sequence, nested ones and compensations included, in the order of the definition.</summary>
    public static IEnumerable<Node> Within(ImmutableArray<Node> nodes)
    {
        foreach (var node in nodes)
        {
            yield return node;
            foreach (var inner in node.Bodies.SelectMany(body => Within(body.Nodes)).Concat(Within(node.Compensate)))
                yield return inner;
        }
    }

    /// <summary>The names that a sequence reads anywhere inside it.</summary>
    internal static IEnumerable<string> ReadBy(ImmutableArray<Node> nodes) =>
        Within(nodes).SelectMany(node => node.Reads).Distinct(StringComparer.Ordinal);
}
