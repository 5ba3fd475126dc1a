using System.Globalization;
using System.Numerics;
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
    /// a number is integer, bigint or numeric by its size, with all of its digits; objects and arrays are jsonb.
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
            JsonValueKind.Number => Number(element.GetRawText()),
            _ => new() { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = value.Utf8.ToArray() },
        };
    }

    // Npgsql makes a numeric of a decimal or of a BigInteger. What fits neither to the last digit goes as its text, whose
    // type the server takes from where it stands.
    private static NpgsqlParameter Number(string text)
    {
        if (FitsDecimal(text) && decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return new NpgsqlParameter<decimal> { TypedValue = number };
        if (text.Length <= MaxIntegerDigits && BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
            return new NpgsqlParameter<BigInteger> { TypedValue = integer, NpgsqlDbType = NpgsqlDbType.Numeric };
        return new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Unknown, Value = text };
    }

    // A decimal has 28 digits for certain, and as many of them as one likes behind the point.
    private static bool FitsDecimal(string text)
    {
        var point = text.IndexOf('.', StringComparison.Ordinal);
        var power = text.AsSpan().IndexOfAny('e', 'E');
        var mantissa = power < 0 ? text.AsSpan() : text.AsSpan(0, power);
        var exponent = 0;
        if (power >= 0 && !int.TryParse(text.AsSpan(power + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent) || Math.Abs((long)exponent) > DecimalDigits)
            return false;
        var fraction = (point < 0 ? 0 : mantissa.Length - point - 1) - exponent;
        var digits = mantissa.Length - (point < 0 ? 0 : 1) - (mantissa[0] is '-' ? 1 : 0);
        return fraction <= DecimalDigits && digits + Math.Max(0, -fraction) <= DecimalDigits;
    }

    private const int DecimalDigits = 28;
    private const int MaxIntegerDigits = 1_000;
}
