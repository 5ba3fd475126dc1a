using System.Text.Json;
using Millrace.Execution;
using Millrace.Values;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>Reads what became of every instance, directly from the tables.</summary>
internal sealed class StoryReader(string store, string other)
{
    /// <summary>All instances with their histories and effects.</summary>
    public async Task<IReadOnlyList<Story>> ReadAsync(IReadOnlyDictionary<string, Start> starts)
    {
        var stories = new Dictionary<Guid, Story>();
        await foreach (var row in Direct.RowsAsync(store, """
            SELECT instance.id, instance.parent_id, instance.place, instance.input::text, outcome.status::integer, outcome.result::text, outcome.error::text,
                   outcome.started_at,
                   coalesce(to_jsonb(work) - 'snapshot' - 'organisation_id', 'null')::text
            FROM millrace.instance
            LEFT JOIN millrace.outcome USING (bucket, id)
            LEFT JOIN millrace.work USING (bucket, id)
            """))
            stories[row.GetGuid(0)] = Read(row);

        await ReadHistoriesAsync(stories);
        foreach (var story in stories.Values)
        {
            if (story.Parent is { } parent)
                stories[parent].Children.Add(story);
            else
                story.Start = starts.GetValueOrDefault(KeyOf(story));
        }

        var top = stories.Values.Where(story => story.Parent is null).ToList();
        await CountEffectsAsync(top);
        return top;
    }

    public static string KeyOf(Story story) =>
        story.Input.Element is { ValueKind: JsonValueKind.Object } input && input.TryGetProperty("key", out var key) ? key.GetString()! : "";

    private static Story Read(NpgsqlDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Parent = row.IsDBNull(1) ? null : row.GetGuid(1),
        Place = row.IsDBNull(2) ? null : row.GetInt32(2),
        Input = Text(row, 3) ?? Json.Null,
        Status = row.IsDBNull(4) ? null : (InstanceStatus)row.GetInt32(4),
        Result = Text(row, 5),
        Error = ErrorJson.Read(Text(row, 6)),
        StartedAt = row.IsDBNull(7) ? null : row.GetFieldValue<DateTimeOffset>(7),
        Work = row.GetString(8),
    };

    private async Task ReadHistoriesAsync(Dictionary<Guid, Story> stories)
    {
        await foreach (var row in Direct.RowsAsync(store, """
            SELECT instance_id, ordinal, path, iteration, attempt, kind, status::integer, result::text, error::text, started_at, ended_at, worker, events::text
            FROM millrace.node_execution
            ORDER BY instance_id, ordinal
            """))
        {
            var execution = new NodeExecution(
                row.GetInt32(1), new(row.GetString(2), row.GetInt32(3), row.GetInt32(4)), row.GetString(5), (NodeStatus)row.GetInt32(6), Text(row, 7),
                ErrorJson.Read(Text(row, 8)), row.GetFieldValue<DateTimeOffset>(9), row.GetFieldValue<DateTimeOffset>(10));
            stories[row.GetGuid(0)].Lines.Add(new(execution, row.GetString(11), Text(row, 12)));
        }
    }

    private async Task CountEffectsAsync(List<Story> stories)
    {
        var byKey = stories.ToLookup(KeyOf);
        foreach (var (database, effectsOf) in new[] { (store, (Func<Story, Dictionary<string, int>>)(story => story.Effects)), (other, story => story.Elsewhere) })
        {
            await foreach (var row in Direct.RowsAsync(database, "SELECT split_part(key, '/', 1), split_part(key, '/', 2), count(*)::integer FROM effect GROUP BY key"))
            {
                if (byKey[row.GetString(0)].FirstOrDefault() is { } story)
                    effectsOf(story)[row.GetString(1)] = row.GetInt32(2);
            }
        }
    }

    private static Json? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : Json.FromText(row.GetString(column));
}
