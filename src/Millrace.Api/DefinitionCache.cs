using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Api;

/// <summary>Reads definitions, and remembers those that were right: callers send the same ones over and over.</summary>
public sealed class DefinitionCache(IOptions<MillraceOptions> options)
{
    private const int CacheSize = 1000;
    private const int LargestCached = 64 << 10;
    private readonly ConcurrentDictionary<string, Workflow> cache = new(StringComparer.Ordinal);

    /// <summary>Reads a definition that has passed <see cref="JsonDoor"/>.</summary>
    public bool TryRead(JsonElement definition, out Workflow? workflow, out IReadOnlyList<Fault> faults)
    {
        var text = JsonMarshal.GetRawUtf8Value(definition);
        if (text.Length > LargestCached)
            return WorkflowReader.TryRead(definition, options.Value.Limits, out workflow, out faults);

        var key = Convert.ToBase64String(SHA256.HashData(text));
        faults = [];
        if (cache.TryGetValue(key, out workflow))
            return true;
        if (!WorkflowReader.TryRead(definition, options.Value.Limits, out workflow, out faults))
            return false;
        if (cache.Count >= CacheSize)
            cache.Clear();
        cache[key] = workflow!;
        return true;
    }
}
