using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>
/// Removes definitions that nothing refers to: no version of a workflow, and no instance in any partition.
/// <para>
/// Instances are not looked through for that; their index would cost every start. Whoever starts or runs an instance keeps
/// its definition's <c>used_at</c> young, see <see cref="DefinitionUse"/>, so one that was not used for so long has no younger
/// instance, and once the partitions of its time are gone it has none at all. What is left of those partitions is little,
/// and read once. A definition that comes into use again while it is looked at has a young <c>used_at</c>, which the
/// deletion itself compares.
/// </para>
/// </summary>
internal sealed class Definitions(Database database)
{
    private const int AtOnce = 1_000;

    // Much longer than any process believes that it knows a definition to be in use.
    private static readonly TimeSpan Unused = TimeSpan.FromDays(30);

    /// <summary>Removes what there is; returns how many.</summary>
    public async Task<long> ClearAsync(CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        var spans = await Partitions.SpansAsync(connection, cancel);
        if (spans.FirstOrDefault(span => !span.IsHolder) is not { } oldest)
            return 0;
        var before = InstanceId.TimeOf(oldest.From)!.Value - Unused;

        var (removed, referred) = (0L, (HashSet<(Guid, string)>?)null);
        for (short bucket = 0; bucket < database.Buckets; bucket++)
        {
            var after = DateTimeOffset.MinValue;
            while (await CandidatesAsync(connection, bucket, after, before, cancel) is { Count: > 0 } candidates)
            {
                referred ??= await ReferredAsync(connection, spans, cancel);
                var unused = candidates.Where(item => !referred.Contains((item.Organisation, Convert.ToHexString(item.Hash)))).ToList();
                removed += await RemoveAsync(connection, bucket, before, unused, cancel);
                after = candidates[^1].UsedAt;
            }
        }

        return removed;
    }

    // In the order of the index; all of the last moment, so that the next look can begin after it.
    private static async Task<List<(Guid Organisation, byte[] Hash, DateTimeOffset UsedAt)>> CandidatesAsync(
        NpgsqlConnection connection, short bucket, DateTimeOffset after, DateTimeOffset before, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("""
            SELECT organisation_id, hash, used_at
            FROM millrace.definition
            WHERE bucket = $1 AND used_at > $2 AND used_at < $3
            ORDER BY used_at
            FETCH FIRST $4 ROWS WITH TIES
            """, connection);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(after.UtcDateTime));
        command.Parameters.Add(Columns.Value(before.UtcDateTime));
        command.Parameters.Add(Columns.Value(AtOnce));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var found = new List<(Guid, byte[], DateTimeOffset)>();
        while (await reader.ReadAsync(cancel))
            found.Add((reader.GetGuid(0), reader.GetFieldValue<byte[]>(1), reader.Time(2)));
        return found;
    }

    // What versions of workflows and the instances of weeks that were let go refer to.
    private static async Task<HashSet<(Guid, string)>> ReferredAsync(NpgsqlConnection connection, IReadOnlyList<PartitionSpan> spans, CancellationToken cancel)
    {
        var referred = new HashSet<(Guid, string)>();
        var tables = spans.Where(span => span.IsHolder).Select(span => $"SELECT DISTINCT organisation_id, definition_hash FROM {span.Name("instance")}");
        foreach (var sql in tables.Prepend("SELECT DISTINCT organisation_id, hash FROM millrace.workflow"))
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await using var reader = await command.ExecuteReaderAsync(cancel);
            while (await reader.ReadAsync(cancel))
                referred.Add((reader.GetGuid(0), Convert.ToHexString(reader.GetFieldValue<byte[]>(1))));
        }

        return referred;
    }

    private static async Task<long> RemoveAsync(
        NpgsqlConnection connection, short bucket, DateTimeOffset before, IReadOnlyList<(Guid Organisation, byte[] Hash, DateTimeOffset UsedAt)> unused, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("""
            WITH unused AS (
                SELECT *
                FROM unnest($3::uuid[], $4::bytea[]) AS item (organisation_id, hash)
            )
            DELETE FROM millrace.definition AS definition
            USING unused
            WHERE definition.bucket = $1 AND definition.organisation_id = unused.organisation_id AND definition.hash = unused.hash
              AND definition.used_at < $2
            """, connection);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(before.UtcDateTime));
        command.Parameters.Add(Columns.Array(unused, NpgsqlDbType.Uuid, item => item.Organisation));
        command.Parameters.Add(Columns.Array(unused, NpgsqlDbType.Bytea, item => item.Hash));
        return await command.ExecuteNonQueryAsync(cancel);
    }
}
