using System.Globalization;
using System.Text;

namespace Millrace.Explaining;

/// <summary>The picture as a Mermaid flow chart.</summary>
public sealed class ExplainMermaid
{
    private readonly StringBuilder text = new();
    private int count;

    private ExplainMermaid()
    {
    }

    /// <summary>Draws it.</summary>
    public static string Draw(Explanation explanation)
    {
        var drawing = new ExplainMermaid();
        drawing.text.Append("flowchart TD\n");
        drawing.text.Append("  start([start])\n");
        var ends = drawing.Sequence(explanation.Nodes, [("start", null)]);
        drawing.text.Append("  finish([end])\n");
        drawing.Join(ends, "finish");
        drawing.Classes();
        return drawing.text.ToString();
    }

    // Draws nodes one after the other; returns the loose ends that what follows is joined to.
    private List<(string From, string? Label)> Sequence(IReadOnlyList<ExplainedNode> nodes, List<(string From, string? Label)> ends)
    {
        foreach (var node in nodes)
        {
            var id = $"n{count++}";
            var (open, close) = node.Branches.Count > 0 ? ("{\"", "\"}") : ("[\"", "\"]");
            text.Append(CultureInfo.InvariantCulture, $"  {id}{open}{Label(node)}{close}");
            text.Append(node.Status is null ? "\n" : $":::{node.Status}\n");
            Join(ends, id);
            ends = node.Kind is "return" or "fail" or "break" ? [] : Branches(node, id);
        }

        return ends;
    }

    private List<(string From, string? Label)> Branches(ExplainedNode node, string id)
    {
        if (node.Branches.Count == 0)
            return [(id, null)];
        var ends = new List<(string, string?)>();
        foreach (var branch in node.Branches)
        {
            var (from, label) = (node.Kind, branch.Name) switch
            {
                // What comes after the nodes that are tried.
                ("try", "finally") => (ends, "finally"),
                _ => ([(id, branch.Name)], (string?)null),
            };
            var last = Sequence(branch.Nodes, label is null ? from : [.. from.Select(end => (end.Item1, end.Item2 ?? label))]);
            if (branch.Name is "turn" or "do")
            {
                Join([.. last.Select(end => (end.From, end.Label ?? (branch.Name is "turn" ? "again" : "next")))], id);
                ends.Add((id, null));
            }
            else if (branch.Name is "compensate")
            {
                // It leads nowhere: the instance is ending when it runs.
                if (ends.Count == 0)
                    ends.Add((id, null));
            }
            else if (label is not null)
            {
                ends = last;
            }
            else
            {
                ends.AddRange(last);
            }
        }

        if (node.Kind is "if" && node.Branches.All(branch => branch.Name != "else"))
            ends.Add((id, "else"));
        return ends;
    }

    private void Join(List<(string From, string? Label)> ends, string to)
    {
        foreach (var (from, label) in ends)
            text.Append(CultureInfo.InvariantCulture, $"  {from} -->{(label is null ? "" : $"|{label}|")} {to}\n");
    }

    private void Classes()
    {
        foreach (var (status, fill) in new[]
        {
            ("completed", "#d3f9d8"), ("failed", "#ffe3e3"), ("running", "#d0ebff"), ("waiting", "#fff3bf"),
            ("cancelled", "#e9ecef"), ("skipped", "#f8f9fa"), ("pending", "#ffffff"),
        })
            text.Append(CultureInfo.InvariantCulture, $"  classDef {status} fill:{fill},stroke:#495057,color:#212529\n");
    }

    private static string Label(ExplainedNode node) =>
        $"{node.Kind}<br/>{Escape(node.Id ?? node.Summary)}{(node.As is null ? "" : $"<br/>→ {Escape(node.As)}")}";

    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal);
}
