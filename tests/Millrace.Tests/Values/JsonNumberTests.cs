using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Tests.Values;

public sealed class JsonNumberTests
{
    [Theory]
    [InlineData("1", "1.0", 0)]
    [InlineData("1", "10e-1", 0)]
    [InlineData("100", "1E+2", 0)]
    [InlineData("-0", "0", 0)]
    [InlineData("0e99999999999999999999", "-0.000", 0)]
    [InlineData("1e2147483648", "10e2147483647", 0)]
    [InlineData("1e2147483648", "1e2147483647", 1)]
    [InlineData("-1e2147483648", "1", -1)]
    [InlineData("1e-2147483649", "0", 1)]
    [InlineData("-1e-2147483649", "0", -1)]
    [InlineData("1e99999999999999999999999999999", "10e99999999999999999999999999998", 0)]
    [InlineData("1e99999999999999999999999999999", "1e99999999999999999999999999998", 1)]
    [InlineData("1e-99999999999999999999999999999", "1e99999999999999999999999999999", -1)]
    [InlineData("1e00000000000000000000000000001", "10", 0)]
    [InlineData("12345678901234567890.123456789012345678901234567890", "12345678901234567890.12345678901234567890123456789", 0)]
    [InlineData("12345678901234567890.123456789012345678901234567890", "12345678901234567890.123456789012345678901234567891", -1)]
    [InlineData("9007199254740993", "9007199254740992", 1)]
    [InlineData("79228162514264337593543950336", "79228162514264337593543950337", -1)]
    [InlineData("0.001", "1e-3", 0)]
    [InlineData("0.0010", "0.00100001", -1)]
    [InlineData("-2", "-10", 1)]
    public void Numbers_are_compared_by_their_digits(string left, string right, int order)
    {
        Assert.Equal(order, Compare(left, right));
        Assert.Equal(-order, Compare(right, left));
        Assert.Equal(order == 0, JsonEquality.AreEqual(JsonElement.Parse(left), JsonElement.Parse(right)));
    }

    [Fact]
    public void They_are_ordered_as_exact_arithmetic_orders_them()
    {
        var random = new Random(7);
        for (var i = 0; i < 20_000; i++)
        {
            var (a, b) = (Random(random), Random(random));
            Assert.True(Compare(a.Text, b.Text) == a.Value.CompareTo(b.Value), $"{a.Text} and {b.Text}");
            Assert.True(JsonNumber.IsZero(JsonElement.Parse(a.Text)) == a.Value.IsZero, a.Text);
        }
    }

    [Fact]
    public void A_number_of_a_million_digits_is_compared_too()
    {
        var digits = new string('9', 1_000_000);
        Assert.Equal(-1, Compare($"1{digits}8", $"1{digits}9"));
        Assert.Equal(0, Compare($"1e{digits[..100_000]}", $"10e{digits[..99_999]}8"));
    }

    private static int Compare(string left, string right) => Math.Sign(JsonNumber.Compare(JsonElement.Parse(left), JsonElement.Parse(right)));

    // A number in one of its many spellings, and what it is in units of 1e-12.
    private static (string Text, BigInteger Value) Random(Random random)
    {
        var fraction = random.Next(2) == 0 ? "" : $".{random.Next(1000).ToString("D3", CultureInfo.InvariantCulture)}{new string('0', random.Next(3))}";
        var mantissa = $"{(random.Next(3) == 0 ? "-" : "")}{random.Next(random.Next(2) == 0 ? 3 : 2000)}{fraction}";
        var exponent = random.Next(-6, 7);
        var places = fraction.Length == 0 ? 0 : fraction.Length - 1;
        var value = BigInteger.Parse(mantissa.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * BigInteger.Pow(10, 12 + exponent - places);
        return ($"{mantissa}{(exponent == 0 && random.Next(2) == 0 ? "" : $"{(random.Next(2) == 0 ? 'e' : 'E')}{(exponent >= 0 && random.Next(2) == 0 ? "+" : "")}{exponent}")}", value);
    }
}
