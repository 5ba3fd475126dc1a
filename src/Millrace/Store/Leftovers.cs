using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>
/// Removes signals and children whose instance has gone, or has ended for good: what came in the moment that it ended, what
/// a failed one kept for its retry, what was left behind when a week was let go. All of their tables is looked through in
/// the order of their keys, so many rows at a time.
/// </summary>
internal sealed class Leftovers(Database database)
{
    private const int RowsAtOnce = 1_000;

    // An instance may have thousands of children.
    private const int OwnersAtOnce = 50;

    /// <summary>Removes what there is; returns of how many instances.</summary>
    public async Task<long> ClearAsync(CancellationToken cancel) =>
        await ClearAsync("child_group", "parent_id", cancel) + await ClearAsync("child_end", "parent_id", cancel) + await ClearAsync("signal", "instance_id", cancel);

    private async Task<long> ClearAsync(string table, string column, CancellationToken cancel)
    {
        var (after, cleared) = (Guid.Empty, 0L);
        while (true)
        {
            var (owners, isLast) = await OwnersAsync(table, column, after, cancel);
            if (owners.Count == 0)
                return cleared;
            foreach (var bucket in owners.GroupBy(owner => InstanceId.BucketOf(owner.Id)))
            {
                foreach (var part in bucket.Chunk(OwnersAtOnce))
                    cleared += await ClearAsync(bucket.Key, part, cancel);
            }

            if (isLast)
                return cleared;
            after = owners[^1].Id;
        }
    }

    // An owner with more rows than one look takes is the last one of it, and the next look begins after it.
    private async Task<(IReadOnlyList<(Guid Id, Guid Organisation)> Owners, bool IsLast)> OwnersAsync(string table, string column, Guid after, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand($"""
            SELECT {column}, organisation_id
            FROM millrace.{table}
            WHERE {column} > $1
            ORDER BY {column}
            LIMIT $2
            """);
        command.Parameters.Add(Columns.Value(after));
        command.Parameters.Add(Columns.Value(RowsAtOnce));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var (owners, rows) = (new List<(Guid Id, Guid Organisation)>(), 0);
        for (; await reader.ReadAsync(cancel); rows++)
        {
            if (reader.GetGuid(0) is var id && (owners.Count == 0 || owners[^1].Id != id))
                owners.Add((id, reader.GetGuid(1)));
        }

        return (owners, rows < RowsAtOnce);
    }

    private async Task<long> ClearAsync(short bucket, IReadOnlyList<(Guid Id, Guid Organisation)> owners, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.Leftovers);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Array(owners, NpgsqlDbType.Uuid, owner => owner.Id));
        command.Parameters.Add(Columns.Array(owners, NpgsqlDbType.Uuid, owner => owner.Organisation));
        return (long)(await command.ExecuteScalarAsync(cancel))!;
    }
}
