using System.Text;
using System.Text.Json;
using Npgsql.PostgresTypes;

namespace Millrace.Nodes;

/// <summary>Writes a value that PostgreSQL has given as text.</summary>
internal delegate void SqlValueWriter(Utf8JsonWriter writer, string text);

/// <summary>
/// JSON for PostgreSQL's values, as its own <c>to_json</c> makes it: numbers and booleans as such, json as it is, arrays
/// as arrays, times in ISO 8601, everything else as its text.
/// </summary>
internal static class SqlValues
{
    public static SqlValueWriter WriterFor(PostgresType type) => type switch
    {
        PostgresArrayType array => Array(WriterFor(array.Element)),
        PostgresDomainType domain => WriterFor(domain.BaseType),
        { InternalName: "bool" } => static (writer, text) => writer.WriteBooleanValue(text is "t"),
        { InternalName: "int2" or "int4" or "int8" or "oid" or "float4" or "float8" or "numeric" } => Number,
        { InternalName: "json" or "jsonb" } => static (writer, text) => writer.WriteRawValue(text, skipInputValidation: true),
        { InternalName: "timestamp" or "timestamptz" } => Time,
        _ => static (writer, text) => writer.WriteStringValue(text),
    };

    // NaN and the infinities are numbers to PostgreSQL, and no numbers to JSON.
    private static void Number(Utf8JsonWriter writer, string text)
    {
        if (text[0] is '-' && text.Length > 1 && char.IsAsciiDigit(text[1]) || char.IsAsciiDigit(text[0]))
            writer.WriteRawValue(text, skipInputValidation: true);
        else
            writer.WriteStringValue(text);
    }

    // "2026-11-21 07:59:02.93+00" is ISO 8601 but for the blank and the short offset.
    private static void Time(Utf8JsonWriter writer, string text)
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

    private static SqlValueWriter Array(SqlValueWriter element) => (writer, text) =>
    {
        // Bounds other than 1 stand in front: [0:1]={a,b}.
        var at = text.IndexOf('{', StringComparison.Ordinal);
        WriteArray(writer, text, ref at, element);
    };

    private static void WriteArray(Utf8JsonWriter writer, string text, ref int at, SqlValueWriter element)
    {
        writer.WriteStartArray();
        at++;
        while (text[at] is not '}')
        {
            if (text[at] is ',')
                at++;
            if (text[at] is '{')
                WriteArray(writer, text, ref at, element);
            else if (text[at] is '"')
                element(writer, Quoted(text, ref at));
            else
                WriteBare(writer, text, ref at, element);
        }

        at++;
        writer.WriteEndArray();
    }

    private static void WriteBare(Utf8JsonWriter writer, string text, ref int at, SqlValueWriter element)
    {
        var end = text.AsSpan(at).IndexOfAny(',', '}') + at;
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
