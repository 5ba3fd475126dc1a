using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Millrace.Execution;
using Millrace.Values;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>Writes the rows of a statement's result as <c>{"rows":[{…}],"row_count":n}</c>, within the caps.</summary>
internal sealed class SqlResultWriter(int maxRows, int maxBytes)
{
    private static readonly JsonWriterOptions Options = new()
    {
        SkipValidation = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="reader">Stands before the first row.</param>
    /// <param name="types">The types of its database.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<NodeEnd> WriteAsync(NpgsqlDataReader reader, SqlTypes types, CancellationToken cancel)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        await using var writer = new Utf8JsonWriter(buffer, Options);
        var columns = await ColumnsAsync(reader, types, cancel);
        var rows = 0;
        writer.WriteStartObject();
        writer.WriteStartArray("rows"u8);
        while (await reader.ReadAsync(cancel))
        {
            if (++rows > maxRows)
                return TooMuch($"more than {maxRows:N0} rows");
            if (!Write(writer, reader, columns))
                return TooMuch($"a value that alone takes more than {maxBytes:N0} bytes");
            if (writer.BytesCommitted + writer.BytesPending > maxBytes)
                return TooMuch($"more than {maxBytes:N0} bytes (in its first {rows:N0} rows)");
        }

        writer.WriteEndArray();
        writer.WriteNumber("row_count"u8, rows);
        writer.WriteEndObject();
        writer.Flush();
        return Json.FromUtf8(buffer.WrittenMemory.ToArray());
    }

    /// <summary>The result of a statement that returns nothing.</summary>
    /// <param name="affected">How many rows it has written.</param>
    public static Json WithoutRows(long affected) => Json.FromText(string.Create(CultureInfo.InvariantCulture, $$"""{"rows":[],"row_count":{{affected}}}"""));

    private static NodeFailure TooMuch(string what) =>
        new($"the result has {what}; select fewer rows or columns, or keep the data in a table and return its key", "result_too_large", Retryable: false);

    // Columns are read one after the other, and one that is too large not at all: nobody need have the memory for it.
    private bool Write(Utf8JsonWriter writer, NpgsqlDataReader reader, Column[] columns)
    {
        writer.WriteStartObject();
        for (var i = 0; i < columns.Length; i++)
        {
            writer.WritePropertyName(columns[i].Name);
            if (reader.IsDBNull(i))
                writer.WriteNullValue();
            else if (reader.GetBytes(i, 0, null, 0, 0) > maxBytes)
                return false;
            else
                columns[i].Write(writer, reader.GetString(i));
        }

        writer.WriteEndObject();
        return true;
    }

    // A second column of a name gets a number behind it: members of an object have different names.
    private static async ValueTask<Column[]> ColumnsAsync(NpgsqlDataReader reader, SqlTypes types, CancellationToken cancel)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var columns = new Column[reader.FieldCount];
        for (var i = 0; i < columns.Length; i++)
        {
            var name = reader.GetName(i);
            for (var number = 2; !taken.Add(name); number++)
                name = $"{reader.GetName(i)}_{number}";
            var type = reader.GetDataTypeOID(i);
            columns[i] = new(
                JsonEncodedText.Encode(name, Options.Encoder), types.TryGet(type, out var writer) ? writer! : await types.FindAsync(type, cancel));
        }

        return columns;
    }

    private readonly record struct Column(JsonEncodedText Name, SqlValueWriter Write);
}
