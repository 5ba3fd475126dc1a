using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Millrace.Values;

/// <summary>
/// The check that every document from outside passes once, before anything else looks at it: JSON as RFC 8259 has it,
/// no duplicate member, no text that PostgreSQL cannot hold (U+0000) and none that is not Unicode (a lone surrogate).
/// </summary>
public static class JsonDoor
{
    /// <summary>Parses a document from outside.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="root">The document; it refers to a copy of the text.</param>
    /// <param name="malformed">Why the text is not JSON at all; null where it is.</param>
    /// <param name="faults">What is wrong inside well-formed JSON.</param>
    public static bool TryRead(
        ReadOnlyMemory<byte> utf8, out JsonElement root, out string? malformed, out IReadOnlyList<Fault> faults)
    {
        (root, malformed, faults) = (default, null, []);
        if (!TryParse(utf8, out root, out malformed))
            return false;

        // Only an escape can smuggle in such a character: raw ones were refused by the parser and by the UTF-8 check. Where
        // there is none, or none that is wrong, nobody need know the place of each value.
        if (!JsonText.HasUnicodeEscapes(utf8.Span) || JsonText.FaultIn(utf8.Span, Json.MaxDepth) is null)
            return true;

        var found = new FaultList();
        Walk(root, "", found);
        faults = found.All;
        return !found.Any;
    }

    /// <summary>
    /// What keeps a value out that a node has brought in, with its place; null where nothing does. Databases and peers are
    /// taken as they are: a duplicate member there is not ours to refuse.
    /// </summary>
    public static string? Refusal(Json value) => JsonText.FaultIn(value.Utf8.Span, Json.MaxDepth);

    private static bool TryParse(ReadOnlyMemory<byte> utf8, out JsonElement root, [NotNullWhen(false)] out string? malformed)
    {
        root = default;
        malformed = null;
        if (!Utf8.IsValid(utf8.Span))
        {
            malformed = "The text is not valid UTF-8.";
            return false;
        }

        try
        {
            root = JsonElement.Parse(utf8.Span, Json.DocumentOptions);
            return true;
        }
        catch (JsonException e)
        {
            malformed = Describe(e);
            return false;
        }
        catch (InvalidOperationException)
        {
            // The parser compares member names to find duplicates, and cannot read a name with a lone surrogate.
            malformed = "A member name is not valid Unicode.";
            return false;
        }
    }

    private static string Describe(JsonException e) =>
        e.Message.Contains("depth", StringComparison.OrdinalIgnoreCase) ? $"The JSON nests deeper than {Json.MaxDepth} levels."
        : e.LineNumber is { } line ? $"Not JSON: line {line + 1}, byte {e.BytePositionInLine + 1}: {Cause(e)}"
        : $"Not JSON: {Cause(e)}";

    // The parser's message ends with its own account of the position.
    private static string Cause(JsonException e)
    {
        var cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return cut < 0 ? e.Message : e.Message[..cut];
    }

    private static void Walk(JsonElement value, string pointer, FaultList faults)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                if (JsonText.FaultInEscapes(JsonMarshal.GetRawUtf8Value(value)) is { } wrong)
                    faults.Add(pointer, $"Text {wrong}.");
                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Walk(item, JsonPointer.Append(pointer, index++), faults);
                break;
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    if (JsonText.FaultInEscapes(JsonMarshal.GetRawUtf8PropertyName(member)) is { } badName)
                        faults.Add(pointer, $"A member name here {badName}.");
                    else
                        Walk(member.Value, JsonPointer.Append(pointer, member.Name), faults);
                }

                break;
        }
    }
}
