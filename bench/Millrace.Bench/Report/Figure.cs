namespace Millrace.Bench.Report;

/// <summary>A figure that was measured several times.</summary>
/// <param name="Id">Which goal it belongs to: P1 … P14.</param>
/// <param name="Work">What was measured.</param>
/// <param name="Unit">In what.</param>
/// <param name="Values">One value a run.</param>
internal sealed record Figure(string Id, string Work, string Unit, IReadOnlyList<double> Values)
{
    /// <summary>The anchor of the same runs, one value for each; null where the goal is a number of its own.</summary>
    public Anchor? Anchor { get; init; }

    /// <summary>The goal, in words; null for a figure that is only told.</summary>
    public string? Goal { get; init; }

    /// <summary>Whether the goal was met; null where there is none, or where its anchor could not be measured.</summary>
    public bool? Met { get; init; }

    public double Median => MedianOf(Values);

    /// <summary>The median of the runs' ratios: each run has its own anchor, measured right beside it.</summary>
    public double? Ratio => Anchor is null ? null : MedianOf([.. Values.Zip(Anchor.Values, (value, anchor) => value / anchor)]);

    public static double MedianOf(IReadOnlyList<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>A figure that must reach a number.</summary>
    public static Figure AtLeast(string id, string work, string unit, IReadOnlyList<double> values, double goal) =>
        new(id, work, unit, values) { Goal = $"≥ {Format.Number(goal)}{unit}", Met = MedianOf(values) >= goal };

    /// <summary>A figure that must stay under a number.</summary>
    public static Figure AtMost(string id, string work, string unit, IReadOnlyList<double> values, double goal) =>
        new(id, work, unit, values) { Goal = $"≤ {Format.Number(goal)}{unit}", Met = MedianOf(values) <= goal };

    /// <summary>A figure that must reach a multiple of its anchor; without an anchor it is only told.</summary>
    public static Figure AtLeastTimes(string id, string work, string unit, IReadOnlyList<double> values, double goal, Anchor? anchor)
    {
        var figure = new Figure(id, work, unit, values) { Anchor = anchor, Goal = $"≥ {Format.Number(goal)} ×" };
        return figure with { Met = figure.Ratio is { } ratio ? ratio >= goal : null };
    }

    /// <summary>A figure that must not pass a multiple of its anchor.</summary>
    public static Figure AtMostTimes(string id, string work, string unit, IReadOnlyList<double> values, double goal, Anchor anchor)
    {
        var figure = new Figure(id, work, unit, values) { Anchor = anchor, Goal = $"≤ {Format.Number(goal)} ×" };
        return figure with { Met = figure.Ratio <= goal };
    }
}

/// <summary>What a figure is compared with.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Values">One value a run, in the figure's unit.</param>
internal sealed record Anchor(string Name, IReadOnlyList<double> Values);
