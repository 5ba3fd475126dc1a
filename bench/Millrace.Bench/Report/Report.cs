using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Millrace.Bench.Report;

/// <summary>What a run has shown, as a Markdown table and as JSON.</summary>
/// <param name="Machine">On what it ran.</param>
/// <param name="Figures">What was measured.</param>
/// <param name="LeftOut">What could not be measured, and why.</param>
internal sealed record BenchReport(string Machine, IReadOnlyList<Figure> Figures, IReadOnlyList<string> LeftOut)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes <c>bench.md</c> and <c>bench.json</c>.</summary>
    public async Task WriteAsync(string folder, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "bench.md"), Markdown(), cancel);
        await File.WriteAllTextAsync(Path.Combine(folder, "bench.json"), JsonSerializer.Serialize(this, Json), cancel);
    }

    public string Markdown()
    {
        var text = new StringBuilder().Append(Machine).Append("\n\n")
            .Append("| goal | work | median | min–max | anchor | ratio | asked for | met |\n|---|---|---|---|---|---|---|---|\n");
        foreach (var figure in Figures)
        {
            text.Append($"| {figure.Id} | {figure.Work} | {Format.Number(figure.Median)}{figure.Unit}")
                .Append($" | {Format.Number(figure.Values.Min())}–{Format.Number(figure.Values.Max())}")
                .Append(figure.Anchor is { } anchor ? $" | {anchor.Name}: {Format.Number(Figure.MedianOf(anchor.Values))}{figure.Unit} ({Format.Number(anchor.Values.Min())}–{Format.Number(anchor.Values.Max())})" : " |")
                .Append(figure.Ratio is { } ratio ? $" | {Format.Number(ratio)}" : " |")
                .Append($" | {figure.Goal} | {figure.Met switch { true => "yes", false => "**no**", null => figure.Goal is null ? "" : "not measured" }} |\n");
        }

        foreach (var reason in LeftOut)
            text.Append($"\nLeft out: {reason}.\n");
        return text.ToString();
    }
}
