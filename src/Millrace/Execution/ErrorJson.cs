using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>Errors as the API shows and the store keeps them: <c>{message, path, kind, attempt, code?}</c>.</summary>
public static class ErrorJson
{
    /// <summary>An instance's error: these members and no others; null for none. Where no node failed, its three are null.</summary>
    public static Json? OfInstance(NodeError? error) => error is null ? null : Json.Write(writer =>
    {
        writer.WriteStartObject();
        WriteMembers(writer, error);
        writer.WriteEndObject();
    });

    /// <summary>
    /// An execution's error, which also says what decides about the next attempt: that none could help, how long to wait
    /// for it at the least, and that this one was not made; null for none.
    /// </summary>
    public static Json? OfExecution(NodeError? error) => error is null ? null : Json.Write(writer =>
    {
        writer.WriteStartObject();
        WriteMembers(writer, error);
        if (!error.Retryable)
            writer.WriteBoolean("retryable", false);
        if (error.RetryAfter is { } wait)
            writer.WriteNumber("retry_after_ms", (long)wait.TotalMilliseconds);
        if (error.IsHeldBack)
            writer.WriteBoolean("held_back", true);
        writer.WriteEndObject();
    });

    private static void WriteMembers(Utf8JsonWriter writer, NodeError error)
    {
        writer.WriteString("message", error.Message);
        writer.WriteString("path", error.Path);
        writer.WriteString("kind", error.Kind);
        if (error.Path is null)
            writer.WriteNull("attempt");
        else
            writer.WriteNumber("attempt", error.Attempt);
        if (error.Code is not null)
            writer.WriteString("code", error.Code);
    }

    internal static NodeError? Read(Json? json)
    {
        if (json is not { Element: { ValueKind: JsonValueKind.Object } error })
            return null;
        return new(
            error.GetProperty("message").GetString()!,
            error.GetProperty("path").GetString(),
            error.GetProperty("kind").GetString(),
            error.GetProperty("attempt") is { ValueKind: JsonValueKind.Number } attempt ? attempt.GetInt32() : 0,
            error.TryGetProperty("code", out var code) ? code.GetString() : null,
            !error.TryGetProperty("retryable", out _))
        {
            RetryAfter = error.TryGetProperty("retry_after_ms", out var wait) ? TimeSpan.FromMilliseconds(wait.GetInt64()) : null,
            IsHeldBack = error.TryGetProperty("held_back", out _),
        };
    }
}
