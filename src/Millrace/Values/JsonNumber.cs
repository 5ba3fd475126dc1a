using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Millrace.Values;

/// <summary>
/// A number exactly as it is written, of any length and with any exponent: compared by its digits, never through a type
/// that would round it, overflow or refuse it.
/// </summary>
internal readonly ref struct JsonNumber
{
    // Up to here an exponent, and what is added to it, fit a long.
    private const int LongDigits = 17;

    // From the first digit that is not zero to the last one; a decimal point may stand among them.
    private readonly ReadOnlySpan<byte> digits;
    private readonly bool isNegative;

    // The power of ten of the first digit, less that of the written exponent.
    private readonly long place;
    private readonly ReadOnlySpan<byte> exponent;

    private JsonNumber(ReadOnlySpan<byte> text)
    {
        isNegative = text[0] is (byte)'-';
        var mark = text.IndexOfAny((byte)'e', (byte)'E');
        exponent = mark < 0 ? [] : text[(mark + 1)..];
        var mantissa = mark < 0 ? text : text[..mark];
        var first = mantissa.IndexOfAnyInRange((byte)'1', (byte)'9');
        if (first < 0)
            return;

        digits = mantissa[first..(mantissa.LastIndexOfAnyInRange((byte)'1', (byte)'9') + 1)];
        var point = mantissa.IndexOf((byte)'.');
        if (point < 0)
            point = mantissa.Length;
        place = first < point ? point - first - 1 : point - first;
    }

    /// <summary>Whether a number is zero, however it is written.</summary>
    public static bool IsZero(JsonElement number) => new JsonNumber(TextOf(number)).digits.IsEmpty;

    /// <summary>Less than zero where the first number is the smaller one, zero where both are the same.</summary>
    public static int Compare(JsonElement left, JsonElement right)
    {
        var a = TextOf(left);
        var b = TextOf(right);
        return a.SequenceEqual(b) ? 0 : Compare(new(a), new JsonNumber(b));
    }

    private static ReadOnlySpan<byte> TextOf(JsonElement number) => JsonMarshal.GetRawUtf8Value(number);

    private static int Compare(JsonNumber a, JsonNumber b)
    {
        if (a.Sign != b.Sign || a.Sign == 0)
            return a.Sign.CompareTo(b.Sign);
        var size = CompareScales(a, b);
        return a.Sign * (size != 0 ? size : CompareDigits(a.digits, b.digits));
    }

    private int Sign => digits.IsEmpty ? 0 : isNegative ? -1 : 1;

    private static int CompareScales(JsonNumber a, JsonNumber b) =>
        a.exponent.Length <= LongDigits && b.exponent.Length <= LongDigits
            ? (a.place + Exponent(a.exponent)).CompareTo(b.place + Exponent(b.exponent))
            : (a.place + LargeExponent(a.exponent)).CompareTo(b.place + LargeExponent(b.exponent));

    private static long Exponent(ReadOnlySpan<byte> text) =>
        text.IsEmpty ? 0 : long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private static BigInteger LargeExponent(ReadOnlySpan<byte> text) =>
        text.IsEmpty ? 0 : BigInteger.Parse(Encoding.ASCII.GetString(text), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    // Both begin at the same power of ten, and neither ends with zeros.
    private static int CompareDigits(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        var (i, j) = (0, 0);
        while (true)
        {
            if (i < a.Length && a[i] is (byte)'.')
                i++;
            if (j < b.Length && b[j] is (byte)'.')
                j++;
            if (i == a.Length || j == b.Length)
                return (a.Length - i).CompareTo(b.Length - j);
            if (a[i] != b[j])
                return a[i].CompareTo(b[j]);
            i++;
            j++;
        }
    }
}
