using Millrace.Values;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Parameters and columns, in the types that our tables use.</summary>
internal static class Columns
{
    public static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    public static NpgsqlParameter Nullable(string? value) => new() { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)value ?? DBNull.Value };

    public static NpgsqlParameter Nullable(int? value) => new() { NpgsqlDbType = NpgsqlDbType.Integer, Value = (object?)value ?? DBNull.Value };

    public static NpgsqlParameter Nullable(Guid? value) => new() { NpgsqlDbType = NpgsqlDbType.Uuid, Value = (object?)value ?? DBNull.Value };

    public static NpgsqlParameter Json(Json? value) =>
        new() { NpgsqlDbType = NpgsqlDbType.Json, Value = (object?)value?.Utf8.ToArray() ?? DBNull.Value };

    /// <summary>One array for a column, made from a list of items.</summary>
    public static NpgsqlParameter Array<TItem, TColumn>(
        IReadOnlyList<TItem> items, NpgsqlDbType type, Func<TItem, TColumn> column)
    {
        var values = new TColumn[items.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = column(items[i]);
        return new NpgsqlParameter<TColumn[]> { NpgsqlDbType = NpgsqlDbType.Array | type, TypedValue = values };
    }

    /// <summary>An array of JSON values; they go out as the bytes they are.</summary>
    public static NpgsqlParameter JsonArray<TItem>(IReadOnlyList<TItem> items, Func<TItem, Json?> column) =>
        Array(items, NpgsqlDbType.Json, item => column(item)?.Utf8.ToArray());

    public static Json? JsonOrNull(this NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : Values.Json.FromUtf8(reader.GetFieldValue<byte[]>(column));

    public static string? TextOrNull(this NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : reader.GetString(column);

    public static DateTimeOffset Time(this NpgsqlDataReader reader, int column) =>
        new(reader.GetDateTime(column), TimeSpan.Zero);

    public static DateTimeOffset? TimeOrNull(this NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : reader.Time(column);
}
