using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>
/// What stored values are. What looks like a statement's result or a response is read as one, because that is what nearly
/// all of them are; where a value only looks so, that is written beside it, in a member that programs before this one
/// pass over.
/// </summary>
internal static class LookAlikes
{
    private const string Suffix = "_plain";

    /// <summary>Writes which of some named values only look like a result; nothing where none does.</summary>
    public static void Write(Utf8JsonWriter writer, string member, IEnumerable<KeyValuePair<string, Json>> values)
    {
        var any = false;
        foreach (var (name, value) in values)
        {
            if (!LooksLikeAnother(value))
                continue;
            if (!any)
                writer.WriteStartArray(member + Suffix);
            any = true;
            writer.WriteStringValue(name);
        }

        if (any)
            writer.WriteEndArray();
    }

    /// <summary>The names that were written beside a member.</summary>
    public static HashSet<string>? Beside(JsonElement holder, string member) =>
        holder.TryGetProperty(member + Suffix, out var names) ? [.. names.EnumerateArray().Select(name => name.GetString()!)] : null;

    /// <summary>A stored value as what it is.</summary>
    public static Json Read(JsonElement value, string name, HashSet<string>? plain) =>
        Json.From(value).As(plain?.Contains(name) is true ? ResultKind.Value : KindByLooks(value));

    private static ResultKind KindByLooks(JsonElement value) =>
        SqlResult.LooksLike(value) ? ResultKind.Rows : HttpResult.LooksLike(value) ? ResultKind.Response : ResultKind.Value;

    // A statement's result always looks like one. Large values are not parsed for this: a member's name stands in the text
    // as it is, or as an escape.
    private static bool LooksLikeAnother(Json value)
    {
        if (value.Kind is ResultKind.Rows)
            return false;
        var text = value.Utf8.Span;
        var mayLook = text.IndexOf("\"row_count\""u8) >= 0 || JsonText.HasUnicodeEscapes(text)
            || (value.Kind is ResultKind.Value && text.IndexOf("\"encoding\""u8) >= 0);
        return mayLook && KindByLooks(value.Element) is var looks && looks is not ResultKind.Value && looks != value.Kind;
    }
}
