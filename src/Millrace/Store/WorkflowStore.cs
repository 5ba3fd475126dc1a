using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Values;
using Millrace.Workflows;
using Npgsql;

namespace Millrace.Store;

/// <summary>What an instance follows is not there, or is not what this version can read.</summary>
/// <param name="message">Why.</param>
internal sealed class DefinitionException(string message) : Exception(message);

/// <summary>A version of a workflow.</summary>
/// <param name="Name">The workflow's name.</param>
/// <param name="Version">The version, from 1.</param>
/// <param name="Hash">SHA-256 of its content.</param>
/// <param name="CreatedAt">When it was stored.</param>
/// <param name="Definition">The content; null in lists.</param>
public sealed record WorkflowVersion(string Name, int Version, byte[] Hash, DateTimeOffset CreatedAt, Json? Definition = null);

/// <summary>Stores definitions by content and workflows by name. Nothing stored is ever changed.</summary>
public sealed class WorkflowStore(Database database, StorePatience patience, TimeProvider time)
{
    private readonly DefinitionUse use = new(database, time);

    // What is known to be stored, and what was read before.
    private readonly ByteCache<(Guid, string), Workflow> cache = new(64 << 20);

    // A stored definition was within the limits when it came; later, narrower ones must not strand its instances.
    private static readonly LimitOptions Unlimited = new() { Nodes = int.MaxValue, Levels = int.MaxValue, Branches = int.MaxValue, DefinitionBytes = int.MaxValue };

    /// <summary>Makes sure that a definition is stored.</summary>
    public async Task EnsureAsync(Guid organisation, Workflow workflow, CancellationToken cancel)
    {
        var key = KeyOf(organisation, workflow.Hash);
        if (cache.TryGet(key, out _) && use.IsNoted(key))
            return;
        await patience.RideOutAsync(token => StoreAsync(organisation, workflow, token), cancel);
        use.Note(key);
        cache.Add(key, workflow, workflow.Bytes);
    }

    private async Task<int> StoreAsync(Guid organisation, Workflow workflow, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            INSERT INTO millrace.definition AS known (bucket, organisation_id, hash, document)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (bucket, organisation_id, hash) DO UPDATE
                SET used_at = now()
                WHERE known.used_at < now() - interval '12 hours'
            """);
        AddOrganisation(command, organisation);
        command.Parameters.Add(Columns.Value(workflow.Hash));
        command.Parameters.Add(Columns.Json(workflow.Document));
        return await command.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>A definition by its content hash.</summary>
    public async Task<Workflow> LoadAsync(Guid organisation, byte[] hash, CancellationToken cancel)
    {
        var key = KeyOf(organisation, hash);
        if (cache.TryGet(key, out var known))
        {
            if (!use.IsNoted(key))
                await use.StoreAsync(organisation, hash, key, cancel);
            return known;
        }

        var (document, isNoted) = await ReadAsync(organisation, hash, cancel);
        if (!WorkflowReader.TryRead(document.Element, Unlimited, out var workflow, out var faults))
            throw new DefinitionException($"the stored definition cannot be read by this version: {faults[0].Pointer}: {faults[0].Detail}");
        if (isNoted)
            use.Note(key);
        else
            await use.StoreAsync(organisation, hash, key, cancel);
        cache.Add(key, workflow!, workflow!.Bytes);
        return workflow!;
    }

    // The reader is done with before anything else is asked. It must not be disposed of twice: by then it may be somebody
    // else's, since each connection uses one again and again.
    private async Task<(Json Document, bool IsNoted)> ReadAsync(Guid organisation, byte[] hash, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT document, used_at > now() - interval '12 hours'
            FROM millrace.definition
            WHERE bucket = $1 AND organisation_id = $2 AND hash = $3
            """);
        AddOrganisation(command, organisation);
        command.Parameters.Add(Columns.Value(hash));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel)
            ? (reader.JsonOrNull(0)!, reader.GetBoolean(1))
            : throw new DefinitionException($"the store has no definition {Convert.ToHexStringLower(hash)}");
    }

    /// <summary>Stores a definition under a name. The newest version's content again is that version again.</summary>
    public async Task<(WorkflowVersion Version, bool Created)> PutAsync(Guid organisation, string name, Workflow workflow, CancellationToken cancel)
    {
        await EnsureAsync(organisation, workflow, cancel);
        while (true)
        {
            var newest = await FindAsync(organisation, name, null, cancel);
            if (newest is not null && newest.Hash.AsSpan().SequenceEqual(workflow.Hash))
                return (newest, false);
            if (await InsertAsync(organisation, name, (newest?.Version ?? 0) + 1, workflow, cancel) is { } created)
                return (created, true);
            // Somebody else has just stored this version; look again.
        }
    }

    /// <summary>A version of a workflow, or its newest one; null where there is none.</summary>
    public async Task<WorkflowVersion?> FindAsync(Guid organisation, string name, int? version, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT workflow.name, workflow.version, workflow.hash, workflow.created_at, definition.document
            FROM millrace.workflow AS workflow
            JOIN millrace.definition AS definition
              ON definition.bucket = $1 AND definition.organisation_id = $2 AND definition.hash = workflow.hash
            WHERE workflow.bucket = $1 AND workflow.organisation_id = $2 AND workflow.name = $3
              AND workflow.version = coalesce($4, workflow.version)
            ORDER BY workflow.version DESC
            LIMIT 1
            """);
        AddOrganisation(command, organisation);
        command.Parameters.Add(Columns.Value(name));
        command.Parameters.Add(Columns.Nullable(version));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? Read(reader, reader.JsonOrNull(4)) : null;
    }

    /// <summary>The newest versions of workflows by name, after a name.</summary>
    public Task<IReadOnlyList<WorkflowVersion>> ListAsync(Guid organisation, string after, int limit, CancellationToken cancel) => ListAsync("""
        SELECT DISTINCT ON (name) name, version, hash, created_at
        FROM millrace.workflow
        WHERE bucket = $1 AND organisation_id = $2 AND name > $3
        ORDER BY name, version DESC
        LIMIT $4
        """, organisation, Columns.Value(after), limit, cancel);

    /// <summary>The versions of a workflow before a version, newest first.</summary>
    public Task<IReadOnlyList<WorkflowVersion>> VersionsAsync(Guid organisation, string name, int before, int limit, CancellationToken cancel) => ListAsync("""
        SELECT name, version, hash, created_at
        FROM millrace.workflow
        WHERE bucket = $1 AND organisation_id = $2 AND name = $3 AND version < $5
        ORDER BY version DESC
        LIMIT $4
        """, organisation, Columns.Value(name), limit, cancel, Columns.Value(before));

    private async Task<IReadOnlyList<WorkflowVersion>> ListAsync(
        string sql, Guid organisation, NpgsqlParameter name, int limit, CancellationToken cancel, NpgsqlParameter? before = null)
    {
        await using var command = database.Source.CreateCommand(sql);
        AddOrganisation(command, organisation);
        command.Parameters.Add(name);
        command.Parameters.Add(Columns.Value(limit));
        if (before is not null)
            command.Parameters.Add(before);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var versions = new List<WorkflowVersion>();
        while (await reader.ReadAsync(cancel))
            versions.Add(Read(reader, null));
        return versions;
    }

    private async Task<WorkflowVersion?> InsertAsync(Guid organisation, string name, int version, Workflow workflow, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            INSERT INTO millrace.workflow (bucket, organisation_id, name, version, hash)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
            RETURNING name, version, hash, created_at
            """);
        AddOrganisation(command, organisation);
        command.Parameters.Add(Columns.Value(name));
        command.Parameters.Add(Columns.Value(version));
        command.Parameters.Add(Columns.Value(workflow.Hash));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? Read(reader, workflow.Document) : null;
    }

    private static WorkflowVersion Read(NpgsqlDataReader reader, Json? definition) =>
        new(reader.GetString(0), reader.GetInt32(1), reader.GetFieldValue<byte[]>(2), reader.Time(3), definition);

    private static void AddOrganisation(NpgsqlCommand command, Guid organisation)
    {
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(organisation)));
        command.Parameters.Add(Columns.Value(organisation));
    }

    private static (Guid, string) KeyOf(Guid organisation, byte[] hash) => (organisation, Convert.ToBase64String(hash));
}
