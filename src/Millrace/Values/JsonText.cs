using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace Millrace.Values;

/// <summary>Looks through the text of a JSON value once, without building anything of it.</summary>
internal static class JsonText
{
    private const string Nul = "contains the character U+0000 (\\u0000), which PostgreSQL cannot store; leave it out";
    private const string Surrogate = "contains half of a surrogate pair, which is not valid Unicode";

    private static readonly SearchValues<byte> Marks = SearchValues.Create("\"[]{}"u8);
    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Whether a value that is JSON nests deeper than so many levels.</summary>
    public static bool NestsDeeper(ReadOnlySpan<byte> utf8, int levels)
    {
        // Each level takes two characters, so that most values need not be looked at.
        if (utf8.Length <= 2 * levels)
            return false;
        var depth = 0;
        while (utf8.IndexOfAny(Marks) is >= 0 and var found)
        {
            var mark = utf8[found];
            utf8 = utf8[(found + 1)..];
            if (mark is (byte)'"')
                utf8 = AfterText(utf8);
            else if (mark is (byte)']' or (byte)'}')
                depth--;
            else if (++depth > levels)
                return true;
        }

        return false;
    }

    /// <summary>
    /// What is wrong with a text: it is not JSON, not UTF-8, nests too deep, or contains characters that cannot be kept.
    /// Null where nothing is.
    /// </summary>
    /// <param name="utf8">The text.</param>
    /// <param name="levels">How deep it may nest.</param>
    public static string? FaultIn(ReadOnlySpan<byte> utf8, int levels)
    {
        if (!Utf8.IsValid(utf8))
            return "the text is not valid UTF-8";
        var reader = new Utf8JsonReader(utf8, AnyDepth);
        var mayBeEscaped = HasUnicodeEscapes(utf8);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth >= levels && reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject)
                    return $"the JSON nests deeper than {levels} levels, at {JsonPlace.Of(utf8, reader.TokenStartIndex)}";
                if (mayBeEscaped && reader.ValueIsEscaped && FaultInEscapes(reader.ValueSpan) is { } fault)
                    return $"text at {JsonPlace.Of(utf8, reader.TokenStartIndex)} {fault}";
            }

            return null;
        }
        catch (JsonException)
        {
            return "the text is not JSON";
        }
    }

    /// <summary>Whether a text has any of the escapes by which alone such characters can come in.</summary>
    public static bool HasUnicodeEscapes(ReadOnlySpan<byte> utf8) => utf8.IndexOf("\\u"u8) >= 0;

    /// <summary>What is wrong with the escapes of a string, given as it is written; null where nothing is.</summary>
    public static string? FaultInEscapes(ReadOnlySpan<byte> written)
    {
        while (written.IndexOf((byte)'\\') is >= 0 and var found)
        {
            if (written[found + 1] is not (byte)'u')
            {
                written = written[(found + 2)..];
                continue;
            }

            var unit = Unit(written[(found + 2)..]);
            written = written[(found + 6)..];
            if (unit == 0)
                return Nul;
            if (char.IsLowSurrogate(unit))
                return Surrogate;
            if (!char.IsHighSurrogate(unit))
                continue;
            if (!written.StartsWith("\\u"u8) || !char.IsLowSurrogate(Unit(written[2..])))
                return Surrogate;
            written = written[6..];
        }

        return null;
    }

    private static char Unit(ReadOnlySpan<byte> digits) =>
        (char)ushort.Parse(digits[..4], System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture);

    private static ReadOnlySpan<byte> AfterText(ReadOnlySpan<byte> utf8)
    {
        while (utf8.IndexOfAny((byte)'"', (byte)'\\') is >= 0 and var found)
        {
            if (utf8[found] is (byte)'"')
                return utf8[(found + 1)..];
            utf8 = utf8[Math.Min(found + 2, utf8.Length)..];
        }

        return [];
    }
}
