using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>The shape of a statement's result: <c>{"rows":[{…}],"row_count":n}</c>.</summary>
internal static class SqlResult
{
    public static bool LooksLike(JsonElement value) =>
        value.ValueKind is JsonValueKind.Object && value.GetPropertyCount() == 2
        && value.TryGetProperty("rows", out var rows) && rows.ValueKind is JsonValueKind.Array
        && value.TryGetProperty("row_count", out var count) && count.ValueKind is JsonValueKind.Number;

    /// <summary>Whether a path reads <c>rows</c> or <c>row_count</c> itself, and not a column.</summary>
    public static bool IsOwnMember(TemplatePath path) => path.Steps is [{ Name: "rows" or "row_count" }, ..];

    public static JsonElement? FirstRow(Json result)
    {
        var rows = result.Element.GetProperty("rows");
        return rows.GetArrayLength() > 0 ? rows[0] : null;
    }

    public static JsonElement? FirstColumn(JsonElement row)
    {
        foreach (var column in row.EnumerateObject())
            return column.Value;
        return null;
    }
}
