using System.Text;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>The shape of a response's envelope: <c>{"status","ok","headers","body","encoding","duration_ms"}</c>.</summary>
internal static class HttpResult
{
    /// <summary>The body of a response, if it is text that is JSON.</summary>
    /// <param name="result">The envelope.</param>
    /// <param name="complaint">Where the body is text, but nothing that can be read as JSON, why not; null otherwise.</param>
    public static JsonElement? JsonBody(JsonElement result, out string? complaint)
    {
        complaint = null;
        if (result.ValueKind is not JsonValueKind.Object
            || !result.TryGetProperty("encoding", out var encoding) || !encoding.ValueEquals("text"u8)
            || !result.TryGetProperty("body", out var body) || body.ValueKind is not JsonValueKind.String)
            return null;

        if (JsonDoor.TryRead(Encoding.UTF8.GetBytes(body.GetString()!), out var read, out var malformed, out var faults))
            return read;
        complaint = malformed ?? $"At \"{faults[0].Pointer}\": {faults[0].Detail}";
        return null;
    }
}
