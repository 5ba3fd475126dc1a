using System.Globalization;

namespace Millrace.Bench.Report;

/// <summary>Numbers for people.</summary>
internal static class Format
{
    /// <summary>Three significant digits at least, thousands apart.</summary>
    public static string Number(double value) => Math.Abs(value) switch
    {
        >= 100 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.#", CultureInfo.InvariantCulture),
        _ => value.ToString("0.##", CultureInfo.InvariantCulture),
    };
}
