using Millrace.Execution;
using Millrace.Values;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Children to start.</summary>
/// <param name="Parent">The lease of the parent.</param>
/// <param name="Key">The execution that starts them.</param>
/// <param name="Resumes">An earlier attempt whose completed children are taken over; null for none.</param>
/// <param name="DefinitionHash">What they follow.</param>
/// <param name="Workflow">Its name; null for a nameless definition.</param>
/// <param name="Version">Its version.</param>
/// <param name="Priority">How urgent they are.</param>
/// <param name="Variables">Their variables.</param>
/// <param name="Entry">For items, the path of the node whose body they run.</param>
/// <param name="Depth">How many parents they have, one above the other.</param>
/// <param name="Wait">Whether their end is told to the parent.</param>
/// <param name="Limit">How many may run at once.</param>
/// <param name="Scope">What they share; null for nothing.</param>
/// <param name="Inputs">The input of each.</param>
internal sealed record ChildStart(
    Lease Parent, NodeKey Key, NodeKey? Resumes, byte[] DefinitionHash, string? Workflow, int? Version, short Priority, Json Variables,
    string? Entry, short Depth, bool Wait, int Limit, Json? Scope, IReadOnlyList<Json> Inputs);

/// <summary>How the children of one execution stand.</summary>
/// <param name="Remaining">How many have not ended.</param>
/// <param name="Failed">Whether any has failed or was cancelled.</param>
internal readonly record struct GroupStanding(int Remaining, bool Failed);

/// <summary>What the children of one execution have come to.</summary>
/// <param name="Bytes">What their results take together.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Results">The results in order; null where they were too large to be read.</param>
internal sealed record GroupResults(long Bytes, long Count, IReadOnlyList<Json>? Results);

/// <summary>The first child of a group that did not complete.</summary>
internal sealed record FailedChild(int Place, Guid Id, InstanceStatus Status, NodeError? Error);

/// <summary>
/// Child instances. They live in the bucket of their parent, so that their end and the news of it are one transaction.
/// </summary>
internal sealed class ChildStore(Database database, StoreClock clock)
{
    /// <summary>The group of the children that an execution starts.</summary>
    public static Guid GroupOf(Guid parent, NodeKey key) => HashedId.Of($"{parent:N}{PathScope.EffectOf(key.Path)}#{key.Iteration}#{key.Attempt}");

    /// <summary>
    /// Starts children, unless they have been started before. Returns the number of children's ends that the parent's row
    /// counts from now on (the start counts as one); null where nothing was started.
    /// </summary>
    public async Task<long?> StartAsync(ChildStart start, CancellationToken cancel)
    {
        var bucket = InstanceId.BucketOf(start.Parent.Instance);
        await using var command = database.Matches.CreateCommand(SqlText.StartChildren);
        // Ten thousand at once take longer than a checkpoint ever may.
        command.CommandTimeout = 60;
        var parameters = command.Parameters;
        parameters.Add(Columns.Value(bucket));
        parameters.Add(Columns.Value(start.Parent.Instance));
        parameters.Add(Columns.Value(start.Parent.Organisation));
        parameters.Add(Columns.Value(start.Parent.Token));
        parameters.Add(Columns.Value(GroupOf(start.Parent.Instance, start.Key)));
        parameters.Add(Columns.Json(start.Scope));
        parameters.Add(Columns.Value(start.Limit));
        parameters.Add(Columns.Nullable(start.Resumes is { } earlier ? GroupOf(start.Parent.Instance, earlier) : null));
        parameters.Add(Columns.Value(start.DefinitionHash));
        parameters.Add(Columns.Nullable(start.Workflow));
        parameters.Add(Columns.Nullable(start.Version));
        parameters.Add(Columns.Value(start.Priority));
        parameters.Add(Columns.Json(start.Variables));
        parameters.Add(Columns.Nullable(start.Entry));
        parameters.Add(Columns.Value(start.Depth));
        parameters.Add(Columns.Value(start.Wait));
        parameters.Add(Columns.Value(StartStatement.Ids(bucket, start.Inputs.Count, clock)));
        parameters.Add(Columns.JsonArray(start.Inputs, input => input));
        return await command.ExecuteScalarAsync(cancel) as long?;
    }

    /// <summary>The first child of a group; null where the group was never started.</summary>
    public async Task<Guid?> FirstAsync(Guid parent, Guid group, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT child_id
            FROM millrace.child
            WHERE bucket = $1 AND parent_id = $2 AND group_id = $3 AND place = 0
            """, parent, group);
        return await command.ExecuteScalarAsync(cancel) as Guid?;
    }

    /// <summary>How groups stand, by their ids; those that were never started are left out.</summary>
    public async Task<IReadOnlyDictionary<Guid, GroupStanding>> StandingAsync(Guid parent, IReadOnlyList<Guid> groups, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT group_id, remaining, failed
            FROM millrace.child_group
            WHERE bucket = $1 AND parent_id = $2 AND group_id = ANY ($3)
            """, parent);
        command.Parameters.Add(Columns.Value(groups.ToArray()));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var standing = new Dictionary<Guid, GroupStanding>();
        while (await reader.ReadAsync(cancel))
            standing[reader.GetGuid(0)] = new(reader.GetInt32(1), reader.GetBoolean(2));
        return standing;
    }

    /// <summary>The groups of a parent in which children have not ended.</summary>
    public async Task<IReadOnlyList<Guid>> LeftGroupsAsync(Guid parent, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT siblings.group_id
            FROM millrace.child_group AS siblings
            JOIN millrace.child ON child.bucket = $1 AND child.parent_id = $2 AND child.group_id = siblings.group_id AND child.place = 0
            -- Earlier versions count those, too, that nobody waits for.
            JOIN millrace.instance ON instance.bucket = $1 AND instance.organisation_id = child.organisation_id AND instance.id = child.child_id
                                   AND instance.parent_id = $2
            WHERE siblings.bucket = $1 AND siblings.parent_id = $2 AND siblings.remaining > 0
            """, parent);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var groups = new List<Guid>();
        while (await reader.ReadAsync(cancel))
            groups.Add(reader.GetGuid(0));
        return groups;
    }

    /// <summary>The results of a group whose children have all completed, in order; none where they take more than a number of bytes.</summary>
    public async Task<GroupResults> ResultsAsync(Guid parent, Guid group, long maxBytes, CancellationToken cancel)
    {
        await using var command = Command(SqlText.ChildResults, parent, group);
        command.Parameters.Add(Columns.Value(maxBytes));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var (bytes, count, results) = (0L, 0L, new List<Json>());
        while (await reader.ReadAsync(cancel))
        {
            (bytes, count) = (reader.GetInt64(0), reader.GetInt64(1));
            if (!reader.IsDBNull(2))
                results.Add(reader.JsonOrNull(3) ?? Json.Null);
        }

        return new(bytes, count, bytes > maxBytes ? null : results);
    }

    /// <summary>Of a group in which a child has failed, the first one that did.</summary>
    public async Task<FailedChild> FailureAsync(Guid parent, Guid group, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT place, child_id, status, error
            FROM millrace.child_end
            WHERE bucket = $1 AND parent_id = $2 AND group_id = $3 AND status <> 4
            ORDER BY place
            LIMIT 1
            """, parent, group);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return new(reader.GetInt32(0), reader.GetGuid(1), (InstanceStatus)reader.GetInt16(2), ErrorJson.Read(reader.JsonOrNull(3)));
    }

    /// <summary>What the children of a group share; null where its parent has ended.</summary>
    public async Task<Json?> ScopeAsync(Guid parent, Guid group, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT scope
            FROM millrace.child_group
            WHERE bucket = $1 AND parent_id = $2 AND group_id = $3
            """, parent, group);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? reader.JsonOrNull(0) : null;
    }

    /// <summary>
    /// What checkpoints mean for other rows: parents are told of children's ends, children that are not wanted any more
    /// are asked to end, and what was kept of ended children goes with their parent.
    /// </summary>
    public static IEnumerable<NpgsqlBatchCommand> Commands(short bucket, IReadOnlyList<Checkpoint> checkpoints)
    {
        var unwanted = checkpoints.SelectMany(checkpoint => checkpoint.UnwantedGroups.Select(group => (checkpoint.Lease, Group: group))).ToList();
        var ended = checkpoints.OfType<FinishCheckpoint>().Where(finish => finish.Lease.Membership is not null).ToList();
        if (unwanted.Count + ended.Count > 0)
            yield return LockCommand(bucket, checkpoints, ended, unwanted);
        if (unwanted.Count > 0)
        {
            yield return new(SqlText.CancelChildren)
            {
                Parameters =
                {
                    Columns.Value(bucket),
                    Columns.Array(unwanted, NpgsqlDbType.Uuid, item => item.Lease.Instance),
                    Columns.Array(unwanted, NpgsqlDbType.Bigint, item => item.Lease.Token),
                    Columns.Array(unwanted, NpgsqlDbType.Uuid, item => item.Group),
                },
            };
        }

        if (ended.Count > 0)
            yield return EndCommand(bucket, ended);

        // What a failed parent's children have achieved is there for its retry.
        var gone = checkpoints.OfType<FinishCheckpoint>().Where(finish => finish is { HadChildren: true, Outcome.Status: not InstanceStatus.Failed }).ToList();
        if (gone.Count > 0)
        {
            yield return new(SqlText.ForgetChildren)
            {
                Parameters =
                {
                    Columns.Value(bucket),
                    Columns.Array(gone, NpgsqlDbType.Uuid, finish => finish.Lease.Instance),
                    Columns.Array(gone, NpgsqlDbType.Bigint, finish => finish.Lease.Token),
                },
            };
        }
    }

    private static NpgsqlBatchCommand LockCommand(
        short bucket, IReadOnlyList<Checkpoint> checkpoints, List<FinishCheckpoint> ended, List<(Lease Lease, Guid Group)> unwanted)
    {
        var ids = checkpoints.Select(checkpoint => checkpoint.Lease.Instance).Concat(ended.Select(finish => finish.Lease.Membership!.Parent));
        return new(SqlText.LockFamily)
        {
            Parameters =
            {
                Columns.Value(bucket),
                Columns.Value(ids.Distinct().ToArray()),
                Columns.Array(unwanted, NpgsqlDbType.Uuid, item => item.Lease.Instance),
                Columns.Array(unwanted, NpgsqlDbType.Uuid, item => item.Group),
            },
        };
    }

    private static NpgsqlBatchCommand EndCommand(short bucket, List<FinishCheckpoint> ended) => new(SqlText.EndChildren)
    {
        Parameters =
        {
            Columns.Value(bucket),
            Columns.Array(ended, NpgsqlDbType.Uuid, finish => finish.Lease.Instance),
            Columns.Array(ended, NpgsqlDbType.Bigint, finish => finish.Lease.Token),
            Columns.Array(ended, NpgsqlDbType.Uuid, finish => finish.Lease.Membership!.Parent),
            Columns.Array(ended, NpgsqlDbType.Uuid, finish => finish.Lease.Membership!.Group),
            Columns.Array(ended, NpgsqlDbType.Integer, finish => finish.Lease.Membership!.Place),
            Columns.Array(ended, NpgsqlDbType.Smallint, finish => (short)finish.Outcome.Status),
            Columns.JsonArray(ended, finish => finish.Outcome.Result),
            Columns.JsonArray(ended, finish => ErrorJson.OfInstance(finish.Outcome.Error)),
        },
    };

    private NpgsqlCommand Command(string sql, Guid parent, Guid? group = null)
    {
        var command = database.Source.CreateCommand(sql);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(parent)));
        command.Parameters.Add(Columns.Value(parent));
        if (group is { } id)
            command.Parameters.Add(Columns.Value(id));
        return command;
    }
}
