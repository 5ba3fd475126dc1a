using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Which instance an idempotency key belongs to, and to what request.</summary>
internal sealed record KeyHolder(Guid Instance, byte[] Fingerprint);

/// <summary>Reads who holds idempotency keys.</summary>
internal static class KeyHolders
{
    /// <summary>Adds the holders that one bucket knows; keys that are known already stay as they are.</summary>
    public static async Task AddAsync(
        NpgsqlDataSource source, short bucket, IReadOnlyList<StartRequest> requests, Dictionary<(Guid, string), KeyHolder> holders, CancellationToken cancel)
    {
        await using var command = source.CreateCommand(SqlText.KeyHolders);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Array(requests, NpgsqlDbType.Uuid, request => request.Organisation));
        command.Parameters.Add(Columns.Array(requests, NpgsqlDbType.Text, request => request.IdempotencyKey!));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
            holders.TryAdd((reader.GetGuid(0), reader.GetString(1)), new(reader.GetGuid(3), reader.GetFieldValue<byte[]>(2)));
    }
}
