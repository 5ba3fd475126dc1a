using System.Globalization;
using System.Text;
using Millrace.Bench.Load;

namespace Millrace.Bench.Report;

/// <summary>Draws throughput and latency against concurrency, as SVG.</summary>
internal static class SweepChart
{
    private const int Width = 720, Height = 400, Left = 70, Right = 70, Top = 50, Bottom = 60;

    public static async Task WriteAsync(string folder, IReadOnlyList<int> sweep, IReadOnlyDictionary<int, List<Outcome>> points, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "p7.svg"), Draw(sweep, points), cancel);
    }

    private static string Draw(IReadOnlyList<int> sweep, IReadOnlyDictionary<int, List<Outcome>> points)
    {
        double[] Line(Func<Outcome, double> of) => [.. sweep.Select(atOnce => Figure.MedianOf([.. points[atOnce].Select(of)]))];
        var (rate, middle, slowest) = (Line(load => load.PerSecond), Line(load => load.P50), Line(load => load.P99));
        var (most, longest) = (NiceTop(rate.Max()), NiceTop(slowest.Max()));

        var svg = new StringBuilder($"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="sans-serif" font-size="12">
            <rect width="{Width}" height="{Height}" fill="white"/>
            <text x="{Width / 2}" y="24" text-anchor="middle" font-size="15">One select 1 node, start to result: throughput and latency against concurrency</text>

            """);
        for (var tick = 0; tick <= 4; tick++)
        {
            var y = Y(tick, 4);
            svg.Append(CultureInfo.InvariantCulture, $"""
                <line x1="{Left}" y1="{y:0.#}" x2="{Width - Right}" y2="{y:0.#}" stroke="#ddd"/>
                <text x="{Left - 8}" y="{y + 4:0.#}" text-anchor="end" fill="#1f5fa8">{Format.Number(most * tick / 4)}</text>
                <text x="{Width - Right + 8}" y="{y + 4:0.#}" fill="#b3541e">{Format.Number(longest * tick / 4)}</text>

                """);
        }

        for (var i = 0; i < sweep.Count; i++)
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(i, sweep.Count):0.#}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\">{sweep[i]}</text>\n");
        Curve(svg, rate, most, "#1f5fa8", "");
        Curve(svg, middle, longest, "#b3541e", "");
        Curve(svg, slowest, longest, "#b3541e", " stroke-dasharray=\"5 4\"");
        svg.Append($"""
            <text x="{Width / 2}" y="{Height - 12}" text-anchor="middle">callers at once; <tspan fill="#1f5fa8">instances a second (left)</tspan>, <tspan fill="#b3541e">p50 and, dashed, p99 in ms (right)</tspan></text>
            </svg>

            """);
        return svg.ToString();
    }

    private static void Curve(StringBuilder svg, double[] values, double top, string colour, string style)
    {
        svg.Append($"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{style} points=\"");
        for (var i = 0; i < values.Length; i++)
            svg.Append(CultureInfo.InvariantCulture, $"{X(i, values.Length):0.#},{Y(values[i], top):0.#} ");
        svg.Append("\"/>\n");
    }

    private static double X(int step, int steps) => Left + ((Width - Left - Right) * (double)step / (steps - 1));

    private static double Y(double value, double top) => Height - Bottom - ((Height - Top - Bottom) * value / top);

    // The next 1, 2, 4 or 8 times a power of ten.
    private static double NiceTop(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return new[] { 1.0, 2, 4, 8, 10 }.Select(step => step * power).First(top => top >= value);
    }
}
