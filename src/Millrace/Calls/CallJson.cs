using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Millrace.Values;

namespace Millrace.Calls;

/// <summary>What stands under <c>with</c> is not what the handler takes.</summary>
internal sealed class CallInputException(string message) : Exception(message);

/// <summary>Turns JSON into a handler's types and back.</summary>
internal static class CallJson
{
    public static T Read<T>(Json value, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(value.Utf8.Span, type)!;
        }
        catch (JsonException e)
        {
            throw new CallInputException($"\"with\" is not what the handler takes{(e.Path is null or "$" ? "" : $", at {e.Path}")}: expected {typeof(T).Name}");
        }
    }

    public static Json Write<T>(T value, JsonTypeInfo<T> type) => Json.FromUtf8(JsonSerializer.SerializeToUtf8Bytes(value, type));
}
