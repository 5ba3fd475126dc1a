using System.Text;
using System.Text.Json;

namespace Millrace.Nodes;

/// <summary>Writes a value that PostgreSQL has given as text.</summary>
internal delegate void SqlValueWriter(Utf8JsonWriter writer, string text);

/// <summary>
/// JSON for PostgreSQL's values, as its own <c>to_json</c> makes it: numbers and booleans as such, json as it is, arrays
/// as arrays, times in ISO 8601, everything else as its text.
/// </summary>
internal static class SqlValues
{
    /// <summary>A value as its text, which every type has.</summary>
    public static readonly SqlValueWriter Text = static (writer, text) => writer.WriteStringValue(text);

    /// <summary>A boolean.</summary>
    public static readonly SqlValueWriter Boolean = static (writer, text) => writer.WriteBooleanValue(text is "t");

    /// <summary>A value that is JSON already.</summary>
    public static readonly SqlValueWriter Json = static (writer, text) => writer.WriteRawValue(text, skipInputValidation: true);

    /// <summary>A number, with all of its digits.</summary>
    public static readonly SqlValueWriter Number = WriteNumber;

    /// <summary>A time with a date.</summary>
    public static readonly SqlValueWriter Time = WriteTime;

    // NaN and the infinities are numbers to PostgreSQL, and no numbers to JSON.
    private static void WriteNumber(Utf8JsonWriter writer, string text)
    {
        if (text[0] is '-' && text.Length > 1 && char.IsAsciiDigit(text[1]) || char.IsAsciiDigit(text[0]))
            writer.WriteRawValue(text, skipInputValidation: true);
        else
            writer.WriteStringValue(text);
    }

    // "2026-11-21 07:59:02.93+00" is ISO 8601 but for the blank and the short offset.
    private static void WriteTime(Utf8JsonWriter writer, string text)
    {
        var blank = text.IndexOf(' ', StringComparison.Ordinal);
        if (blank < 0 || text.EndsWith("BC", StringComparison.Ordinal))
        {
            writer.WriteStringValue(text);
            return;
        }

        var offset = text.AsSpan(blank).IndexOfAny('+', '-');
        var full = offset >= 0 && text.Length - (blank + offset) == 3 ? ":00" : "";
        writer.WriteStringValue($"{text.AsSpan(0, blank)}T{text.AsSpan(blank + 1)}{full}");
    }

    /// <summary>An array.</summary>
    /// <param name="element">Writes an element.</param>
    /// <param name="delimiter">What stands between two: a comma, but for <c>box</c> and types of an extension's.</param>
    public static SqlValueWriter Array(SqlValueWriter element, char delimiter) => (writer, text) =>
    {
        // Bounds other than 1 stand in front: [0:1]={a,b}.
        var at = text.IndexOf('{', StringComparison.Ordinal);
        WriteArray(writer, text, ref at, element, delimiter);
    };

    private static void WriteArray(Utf8JsonWriter writer, string text, ref int at, SqlValueWriter element, char delimiter)
    {
        writer.WriteStartArray();
        at++;
        while (text[at] is not '}')
        {
            if (text[at] == delimiter)
                at++;
            if (text[at] is '{')
                WriteArray(writer, text, ref at, element, delimiter);
            else if (text[at] is '"')
                element(writer, Quoted(text, ref at));
            else
                WriteBare(writer, text, ref at, element, delimiter);
        }

        at++;
        writer.WriteEndArray();
    }

    private static void WriteBare(Utf8JsonWriter writer, string text, ref int at, SqlValueWriter element, char delimiter)
    {
        var end = text.AsSpan(at).IndexOfAny(delimiter, '}') + at;
        var value = text[at..end];
        at = end;
        if (value is "NULL")
            writer.WriteNullValue();
        else
            element(writer, value);
    }

    private static string Quoted(string text, ref int at)
    {
        var value = new StringBuilder();
        for (at++; text[at] is not '"'; at++)
        {
            if (text[at] is '\\')
                at++;
            value.Append(text[at]);
        }

        at++;
        return value.ToString();
    }
}
