using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>Errors as the API shows and the store keeps them: <c>{message, path, kind, attempt, code?}</c>.</summary>
public static class ErrorJson
{
    /// <summary>Writes an error; null for none.</summary>
    public static Json? Write(NodeError? error) => error is null ? null : Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("message", error.Message);
        if (error.Path is not null)
        {
            writer.WriteString("path", error.Path);
            writer.WriteString("kind", error.Kind);
            writer.WriteNumber("attempt", error.Attempt);
        }

        if (error.Code is not null)
            writer.WriteString("code", error.Code);
        if (!error.Retryable)
            writer.WriteBoolean("retryable", false);
        writer.WriteEndObject();
    });

    internal static NodeError? Read(Json? json)
    {
        if (json is not { Element: { ValueKind: JsonValueKind.Object } error })
            return null;
        return new(
            error.GetProperty("message").GetString()!,
            error.TryGetProperty("path", out var path) ? path.GetString() : null,
            error.TryGetProperty("kind", out var kind) ? kind.GetString() : null,
            error.TryGetProperty("attempt", out var attempt) ? attempt.GetInt32() : 0,
            error.TryGetProperty("code", out var code) ? code.GetString() : null,
            !error.TryGetProperty("retryable", out _));
    }
}
