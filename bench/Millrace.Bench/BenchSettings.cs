using System.Globalization;

namespace Millrace.Bench;

/// <summary>How often and how large.</summary>
/// <param name="Runs">How often each figure is measured, in turn with its anchor.</param>
/// <param name="Scale">A factor on sizes and durations: 1 is what the goals are about, less is for a look.</param>
/// <param name="Folder">Where the results go.</param>
internal sealed record BenchSettings(int Runs, double Scale, string Folder)
{
    /// <summary>The settings of the PostgreSQL under all measurements; what is durable stays durable.</summary>
    public static readonly IReadOnlyList<string> Postgres = ["shared_buffers=256MB", "max_connections=200"];

    /// <summary>A size at this scale, in whole thousands.</summary>
    public int Size(int full) => Math.Max(1000, (int)(full * Scale / 1000) * 1000);

    /// <summary>A duration at this scale, in seconds.</summary>
    public double Seconds(double full) => Math.Max(2, full * Scale);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Runs} runs, scale {Scale:0.##}");
}
