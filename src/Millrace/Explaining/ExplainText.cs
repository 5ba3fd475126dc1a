using System.Globalization;
using System.Text;

namespace Millrace.Explaining;

/// <summary>The picture as indented text.</summary>
public static class ExplainText
{
    /// <summary>The sign that stands before a node of a status.</summary>
    public static string Sign(string? status) => status switch
    {
        "completed" => "✓",
        "failed" => "✗",
        "running" => "▶",
        "waiting" => "⏳",
        "cancelled" => "⊘",
        "skipped" => "–",
        "pending" => "○",
        _ => "•",
    };

    /// <summary>What is worth knowing of a node beyond its status: attempts, time, what it waits for, why it failed.</summary>
    public static string Remark(ExplainedNode node)
    {
        var remarks = new List<string>();
        if (node.Attempt > 1)
            remarks.Add($"attempt {node.Attempt}");
        if (node.Detail is { } detail)
            remarks.Add(detail);
        if (node is { StartedAt: { } start, EndedAt: { } end })
            remarks.Add(Span(end - start));
        if (node.WaitingUntil is { } until)
            remarks.Add($"until {until.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z");
        if (node is { Error: { } error, Status: "failed" or "waiting" })
            remarks.Add(error);
        return string.Join(", ", remarks);
    }

    /// <summary>Draws it.</summary>
    public static string Draw(Explanation explanation)
    {
        var text = new StringBuilder();
        var title = new[] { explanation.Workflow ?? "workflow", explanation.Status }.Where(part => part is not null);
        text.AppendLine(string.Join(": ", title));
        Draw(text, explanation.Nodes, 0);
        return text.ToString();
    }

    private static void Draw(StringBuilder text, IReadOnlyList<ExplainedNode> nodes, int depth)
    {
        var indent = new string(' ', depth * 2);
        foreach (var node in nodes)
        {
            text.Append(CultureInfo.InvariantCulture, $"{indent}{Sign(node.Status)} {node.Kind} {node.Summary}");
            if (node.As is not null)
                text.Append(CultureInfo.InvariantCulture, $" → {node.As}");
            if (Remark(node) is { Length: > 0 } remark)
                text.Append(CultureInfo.InvariantCulture, $"  ({remark})");
            text.AppendLine(CultureInfo.InvariantCulture, $"  [{node.Id ?? node.Path}]");
            foreach (var branch in node.Branches)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"{indent}  {branch.Name}:");
                Draw(text, branch.Nodes, depth + 2);
            }
        }
    }

    private static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.#} ms"),
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.##} s"),
        _ => span.ToString("c", CultureInfo.InvariantCulture),
    };
}
