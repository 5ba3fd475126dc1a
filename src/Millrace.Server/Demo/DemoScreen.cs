using System.Text.Json;
using Millrace.Api;
using Millrace.Explaining;
using Spectre.Console;

namespace Millrace.Server.Demo;

/// <summary>Draws an instance's nodes as they run: a tree that changes in place, or a line for each change where there is no terminal.</summary>
internal static class DemoScreen
{
    private static readonly JsonSerializerOptions Names = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);

    /// <summary>Draws until the instance has ended; returns its status.</summary>
    public static Task<string> WatchAsync(HttpClient client, string id, CancellationToken cancel) =>
        AnsiConsole.Profile.Capabilities.Interactive && AnsiConsole.Profile.Capabilities.Ansi
            ? DrawTreeAsync(client, id, cancel)
            : PrintChangesAsync(client, id, cancel);

    private static async Task<string> DrawTreeAsync(HttpClient client, string id, CancellationToken cancel)
    {
        var picture = await PictureAsync(client, id, cancel);
        await AnsiConsole.Live(Tree(picture)).StartAsync(async live =>
        {
            while (!HasEnded(picture))
            {
                await Task.Delay(Between, cancel);
                picture = await PictureAsync(client, id, cancel);
                live.UpdateTarget(Tree(picture));
            }
        });
        return picture.Status!;
    }

    private static async Task<string> PrintChangesAsync(HttpClient client, string id, CancellationToken cancel)
    {
        var printed = new Dictionary<string, string?>(StringComparer.Ordinal);
        while (true)
        {
            var picture = await PictureAsync(client, id, cancel);
            foreach (var node in All(picture.Nodes).Where(node => node.Status is not "pending"))
            {
                if (printed.TryGetValue(node.Path, out var before) && before == node.Status)
                    continue;
                printed[node.Path] = node.Status;
                var remark = ExplainText.Remark(node);
                Console.WriteLine($"{ExplainText.Sign(node.Status)} {node.Status,-9} {node.Kind,-6} {node.Id ?? node.Summary}{(remark.Length > 0 ? $"  ({remark})" : "")}");
            }

            if (HasEnded(picture))
                return picture.Status!;
            await Task.Delay(Between, cancel);
        }
    }

    private static async Task<Explanation> PictureAsync(HttpClient client, string id, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{ApiRoutes.Base}/instances/{id}/explain");
        request.Headers.Accept.ParseAdd("application/json");
        using var response = await client.SendAsync(request, cancel);
        response.EnsureSuccessStatusCode();
        return JsonSerializer.Deserialize<Explanation>(await response.Content.ReadAsStringAsync(cancel), Names)!;
    }

    private static bool HasEnded(Explanation picture) => picture.Status is "completed" or "failed" or "cancelled";

    private static IEnumerable<ExplainedNode> All(IEnumerable<ExplainedNode> nodes) =>
        nodes.SelectMany(node => node.Branches.SelectMany(branch => All(branch.Nodes)).Prepend(node));

    private static Tree Tree(Explanation picture)
    {
        var tree = new Tree($"[bold]{Markup.Escape(picture.Workflow ?? "workflow")}[/] {Colour(picture.Status, picture.Status ?? "")}");
        Add(tree, picture.Nodes);
        return tree;
    }

    private static void Add(IHasTreeNodes parent, IEnumerable<ExplainedNode> nodes)
    {
        foreach (var node in nodes)
        {
            var remark = ExplainText.Remark(node);
            var added = parent.AddNode(
                $"{Colour(node.Status, $"{ExplainText.Sign(node.Status)} {node.Kind}")} {Markup.Escape(node.Id ?? node.Summary)}"
                + (remark.Length > 0 ? $" [grey]{Markup.Escape(remark)}[/]" : ""));
            foreach (var branch in node.Branches)
                Add(added.AddNode($"[grey]{branch.Name}[/]"), branch.Nodes);
        }
    }

    private static string Colour(string? status, string text)
    {
        var colour = status switch
        {
            "completed" => "green",
            "failed" => "red",
            "running" => "blue",
            "waiting" => "yellow",
            _ => "grey",
        };
        return $"[{colour}]{Markup.Escape(text)}[/]";
    }
}
