using System.Text;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>The shape of a response's envelope: <c>{"status","ok","headers","body","encoding","duration_ms"}</c>.</summary>
internal static class HttpResult
{
    public static bool LooksLike(JsonElement value) =>
        value.ValueKind is JsonValueKind.Object && value.TryGetProperty("encoding", out var encoding) && encoding.ValueEquals("text"u8)
        && value.TryGetProperty("body", out var body) && body.ValueKind is JsonValueKind.String;

    /// <summary>The body of a response as JSON, or why it cannot be read as such; neither where it is no text.</summary>
    public static (JsonElement? Body, string? Fault) JsonBody(Json response)
    {
        if (!LooksLike(response.Element))
            return (null, null);
        var body = Encoding.UTF8.GetBytes(response.Element.GetProperty("body").GetString()!);
        return JsonDoor.TryRead(body, out var read, out var malformed, out var faults)
            ? (read, null)
            : (null, malformed ?? $"At \"{faults[0].Pointer}\": {faults[0].Detail}");
    }
}
