using System.Text.Json;
using Millrace.Values;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>A start with everything that the store had to be asked for.</summary>
internal sealed record ResolvedStart(StartRequest Request, byte[] DefinitionHash, int? Version, Json Variables);

/// <summary>
/// Finds, for a batch of starts, the organisations' variables and the workflows that are named: two statements in one
/// round trip for each bucket that organisations live in, however many starts there are.
/// </summary>
internal sealed class StartResolver(Database database)
{
    private const string VariablesSql = """
        SELECT organisation_id, name, value
        FROM millrace.variable
        WHERE bucket = $1 AND organisation_id = ANY ($2)
        """;

    private const string WorkflowsSql = """
        SELECT asked.place, found.version, found.hash
        FROM unnest($2::integer[], $3::uuid[], $4::text[], $5::integer[]) AS asked (place, organisation_id, name, version)
        CROSS JOIN LATERAL (
            SELECT version, hash
            FROM millrace.workflow
            WHERE bucket = $1 AND organisation_id = asked.organisation_id AND name = asked.name
              AND version = coalesce(asked.version, version)
            ORDER BY version DESC
            LIMIT 1
        ) AS found
        """;

    /// <summary>Resolves starts; null in place of one whose workflow is unknown.</summary>
    public async Task<IReadOnlyList<ResolvedStart?>> ResolveAsync(IReadOnlyList<StartRequest> requests, CancellationToken cancel)
    {
        var resolved = new ResolvedStart?[requests.Count];
        var places = Enumerable.Range(0, requests.Count);
        foreach (var group in places.GroupBy(place => InstanceId.BucketOf(requests[place].Organisation)))
            await ResolveAsync(group.Key, [.. group], requests, resolved, cancel);
        return resolved;
    }

    private async Task ResolveAsync(
        short bucket, List<int> places, IReadOnlyList<StartRequest> requests, ResolvedStart?[] resolved, CancellationToken cancel)
    {
        // Most starts of a batch name the same few workflows: each is asked for once.
        var named = places.Where(place => requests[place].DefinitionHash is null)
            .GroupBy(place => (requests[place].Organisation, requests[place].Workflow, requests[place].Version))
            .Select(group => group.ToList()).ToList();
        await using var batch = database.Source.CreateBatch();
        batch.BatchCommands.Add(VariablesCommand(bucket, [.. places.Select(place => requests[place].Organisation).Distinct()]));
        if (named.Count > 0)
            batch.BatchCommands.Add(WorkflowsCommand(bucket, [.. named.Select(group => requests[group[0]])]));

        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var variables = await ReadVariablesAsync(reader, cancel);
        foreach (var place in places)
        {
            var request = requests[place];
            var own = variables.GetValueOrDefault(request.Organisation) ?? [];
            if (request.DefinitionHash is { } hash)
                resolved[place] = new(request, hash, request.Version, Merge(own, request.Variables));
        }

        if (named.Count == 0 || !await reader.NextResultAsync(cancel))
            return;
        while (await reader.ReadAsync(cancel))
        {
            var (version, hash) = (reader.GetInt32(1), reader.GetFieldValue<byte[]>(2));
            foreach (var place in named[reader.GetInt32(0)])
            {
                var own = variables.GetValueOrDefault(requests[place].Organisation) ?? [];
                resolved[place] = new(requests[place], hash, version, Merge(own, requests[place].Variables));
            }
        }
    }

    private static NpgsqlBatchCommand VariablesCommand(short bucket, Guid[] organisations) =>
        new(VariablesSql) { Parameters = { Columns.Value(bucket), Columns.Value(organisations) } };

    private static NpgsqlBatchCommand WorkflowsCommand(short bucket, List<StartRequest> named) =>
        new(WorkflowsSql)
        {
            Parameters =
            {
                Columns.Value(bucket),
                Columns.Value(Enumerable.Range(0, named.Count).ToArray()),
                Columns.Array(named, NpgsqlDbType.Uuid, request => request.Organisation),
                Columns.Array(named, NpgsqlDbType.Text, request => request.Workflow),
                Columns.Array(named, NpgsqlDbType.Integer, request => request.Version),
            },
        };

    private static async Task<Dictionary<Guid, List<(string Name, Json Value)>>> ReadVariablesAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        var variables = new Dictionary<Guid, List<(string, Json)>>();
        while (await reader.ReadAsync(cancel))
        {
            var organisation = reader.GetGuid(0);
            if (!variables.TryGetValue(organisation, out var list))
                variables[organisation] = list = [];
            list.Add((reader.GetString(1), Json.FromUtf8(reader.GetFieldValue<byte[]>(2))));
        }

        return variables;
    }

    // The caller's own values go over the organisation's.
    private static Json Merge(List<(string Name, Json Value)> own, Json? given)
    {
        if (own.Count == 0)
            return given ?? Empty;
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            foreach (var (name, value) in own)
            {
                if (given is null || !given.Element.TryGetProperty(name, out _))
                    Write(writer, name, value);
            }

            if (given is not null)
            {
                foreach (var member in given.Element.EnumerateObject())
                    Write(writer, member.Name, Json.From(member.Value));
            }

            writer.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter writer, string name, Json value)
    {
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }

    private static readonly Json Empty = Json.FromText("{}");
}
