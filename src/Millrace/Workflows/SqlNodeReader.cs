using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads what stands under <c>sql</c>: a statement, or an object with one.</summary>
internal static class SqlNodeReader
{
    public static SqlNode? Read(JsonElement value, string pointer, string path, FaultList faults)
    {
        if (value.ValueKind is JsonValueKind.String)
            return Node(SqlTemplateParser.Parse(value.GetString()!, pointer, faults), null, false, path);
        if (value.ValueKind is not JsonValueKind.Object)
        {
            faults.Add(pointer, $"Expected a statement, or an object with a \"query\", found {ObjectReader.Name(value)}.");
            return null;
        }

        var reader = new ObjectReader(value, pointer, faults);
        if (!reader.Has("query"))
            faults.Add(pointer, "\"query\" is missing.");
        var query = reader.Text("query") is { } text ? SqlTemplateParser.Parse(text, reader.At("query"), faults) : null;
        var connection = reader.Text("connection", maxLength: 64);
        var readOnly = reader.Flag("readOnly") ?? false;
        var timeout = RetryReader.Duration(reader, "timeout", mayBeZero: false);
        reader.Finish();
        return Node(query, connection, readOnly, path) is { } node ? node with { Timeout = timeout } : null;
    }

    private static SqlNode? Node(SqlTemplate? query, string? connection, bool readOnly, string path) =>
        query is null ? null : new(query, connection, readOnly) { Path = path };
}
