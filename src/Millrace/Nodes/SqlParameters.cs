using System.Text.Json;
using Millrace.Values;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Nodes;

/// <summary>JSON values as parameters.</summary>
internal static class SqlParameters
{
    /// <summary>
    /// A value as the parameter that its literal would be: a text's type is left to the server, as a quoted literal's is;
    /// a number is integer, bigint or numeric by its size; objects and arrays are jsonb.
    /// </summary>
    public static NpgsqlParameter Of(Json value)
    {
        var element = value.Element;
        return element.ValueKind switch
        {
            JsonValueKind.Null => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = DBNull.Value },
            JsonValueKind.True or JsonValueKind.False => new NpgsqlParameter<bool> { TypedValue = element.GetBoolean() },
            JsonValueKind.String => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = element.GetString() },
            JsonValueKind.Number when element.TryGetInt32(out var number) => new NpgsqlParameter<int> { TypedValue = number },
            JsonValueKind.Number when element.TryGetInt64(out var number) => new NpgsqlParameter<long> { TypedValue = number },
            JsonValueKind.Number when element.TryGetDecimal(out var number) => new NpgsqlParameter<decimal> { TypedValue = number },
            JsonValueKind.Number => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = element.GetRawText() },
            _ => new() { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = value.Utf8.ToArray() },
        };
    }
}
