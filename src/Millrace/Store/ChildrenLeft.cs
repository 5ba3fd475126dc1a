using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Execution;
using Millrace.Values;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>
/// Completes what instances wait for: how many children are left changes while they are parked, and is not written to
/// their rows. Adds <c>left</c> and <c>total</c> to each wait for children.
/// </summary>
public sealed class ChildrenLeft(Database database)
{
    /// <summary>Completes one instance.</summary>
    public async Task<InstanceView> TellAsync(InstanceView view, CancellationToken cancel) => (await TellAsync([view], cancel))[0];

    /// <summary>Completes a page of instances.</summary>
    public async Task<IReadOnlyList<InstanceView>> TellAsync(IReadOnlyList<InstanceView> views, CancellationToken cancel)
    {
        var asked = views.SelectMany(view => Waits(view).Select(wait => (Parent: view.Id, Group: GroupOf(view, wait)))).ToList();
        if (asked.Count == 0)
            return views;

        var left = new Dictionary<(Guid, Guid), (int Left, int Total)>();
        foreach (var bucket in asked.GroupBy(item => InstanceId.BucketOf(item.Parent)))
            await ReadAsync(bucket.Key, [.. bucket], left, cancel);
        return [.. views.Select(view => Waits(view).Any() ? view with { WaitingOn = Complete(view, left) } : view)];
    }

    private async Task ReadAsync(short bucket, List<(Guid Parent, Guid Group)> asked, Dictionary<(Guid, Guid), (int, int)> left, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT siblings.parent_id, siblings.group_id, siblings.remaining, siblings.total
            FROM unnest($2::uuid[], $3::uuid[]) AS asked (parent_id, group_id)
            JOIN millrace.child_group AS siblings
              ON siblings.bucket = $1 AND siblings.parent_id = asked.parent_id AND siblings.group_id = asked.group_id
            """);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Uuid, item => item.Parent));
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Uuid, item => item.Group));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
            left[(reader.GetGuid(0), reader.GetGuid(1))] = (reader.GetInt32(2), reader.GetInt32(3));
    }

    private static IEnumerable<JsonElement> Waits(InstanceView view) =>
        view.WaitingOn?.Element is { ValueKind: JsonValueKind.Array } waits
            ? waits.EnumerateArray().Where(wait => wait.TryGetProperty("reason", out var reason) && reason.ValueEquals("children"u8))
            : [];

    private static Guid GroupOf(InstanceView view, JsonElement wait) => ChildStore.GroupOf(view.Id, new NodeKey(
        wait.GetProperty("path").GetString()!, wait.GetProperty("iteration").GetInt32(), wait.GetProperty("attempt").GetInt32()));

    private static Json Complete(InstanceView view, Dictionary<(Guid, Guid), (int Left, int Total)> left)
    {
        var completed = new JsonArray();
        foreach (var wait in view.WaitingOn!.Element.EnumerateArray())
        {
            var item = JsonObject.Create(wait)!;
            if (wait.GetProperty("reason").ValueEquals("children"u8) && left.TryGetValue((view.Id, GroupOf(view, wait)), out var counts))
                (item["left"], item["total"]) = (counts.Left, counts.Total);
            completed.Add(item);
        }

        return Json.FromText(completed.ToJsonString());
    }
}
