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
    /// <summary>SHA-256 of <see cref="Document"/>: the identity of this content.</summary>
    public byte[] Hash { get; } = SHA256.HashData(Document.Utf8.Span);
}
