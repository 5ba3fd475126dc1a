using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Api;

/// <summary>Reads definitions, and remembers those that were right: callers send the same ones over and over.</summary>
public sealed class DefinitionCache(IOptions<MillraceOptions> options)
{
    private const int LargestCached = 64 << 10;
    private readonly ByteCache<byte[], Workflow> cache = new(32 << 20, new ByText());

    /// <summary>Reads a definition that has passed <see cref="JsonDoor"/>.</summary>
    public bool TryRead(JsonElement definition, out Workflow? workflow, out IReadOnlyList<Fault> faults)
    {
        var text = JsonMarshal.GetRawUtf8Value(definition);
        if (text.Length > LargestCached)
            return WorkflowReader.TryRead(definition, options.Value.Limits, out workflow, out faults);

        faults = [];
        if (cache.TryGet(text, out workflow))
            return true;
        if (!WorkflowReader.TryRead(definition, options.Value.Limits, out workflow, out faults))
            return false;
        cache.Add(text.ToArray(), workflow!, text.Length + workflow!.Bytes);
        return true;
    }

    private sealed class ByText : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
