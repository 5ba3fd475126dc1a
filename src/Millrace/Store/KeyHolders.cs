using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Which instances an idempotency key belongs to, and to what request.</summary>
/// <param name="Instance">The instance; of a batch the first one.</param>
/// <param name="Fingerprint">The request's.</param>
/// <param name="Batch">All instances of a batch; null for a single start.</param>
internal sealed record KeyHolder(Guid Instance, byte[] Fingerprint, Guid[]? Batch = null)
{
    public bool IsFor(byte[] fingerprint) => Fingerprint.AsSpan().SequenceEqual(fingerprint);
}

/// <summary>Reads who holds idempotency keys.</summary>
internal static class KeyHolders
{
    /// <summary>Adds the holders that one bucket knows; keys that are known already stay as they are.</summary>
    public static async Task AddAsync(
        NpgsqlDataSource source, short bucket, IReadOnlyList<StartKey> keys, Dictionary<(Guid, string), KeyHolder> holders, CancellationToken cancel)
    {
        await using var command = source.CreateCommand(SqlText.KeyHolders);
        AddKeys(command, bucket, keys);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            var holder = new KeyHolder(reader.GetGuid(3), reader.GetFieldValue<byte[]>(2), reader.IsDBNull(4) ? null : reader.GetFieldValue<Guid[]>(4));
            // A key that was closed is held for nobody.
            if (holder.Instance != Guid.Empty)
                holders.TryAdd((reader.GetGuid(0), reader.GetString(1)), holder);
        }
    }

    /// <summary>
    /// Closes keys in a bucket that placed them until lately, see <c>key_close.sql</c>, and adds the holders of those that
    /// somebody holds there.
    /// </summary>
    public static async Task CloseAsync(
        NpgsqlDataSource source, short bucket, DateTimeOffset until, IReadOnlyList<StartKey> keys, Dictionary<(Guid, string), KeyHolder> holders,
        CancellationToken cancel)
    {
        var closed = new HashSet<(Guid, string)>();
        await using (var command = source.CreateCommand(SqlText.KeyClose))
        {
            AddKeys(command, bucket, keys);
            command.Parameters.Add(Columns.Value(until.UtcDateTime));
            await using var reader = await command.ExecuteReaderAsync(cancel);
            while (await reader.ReadAsync(cancel))
                closed.Add((reader.GetGuid(0), reader.GetString(1)));
        }

        if (closed.Count < keys.Count)
            await AddAsync(source, bucket, [.. keys.Where(key => !closed.Contains(key.Name))], holders, cancel);
    }

    /// <summary>
    /// What earlier versions wrote for the items of a batch: their instances by place, with the items' fingerprints. Empty
    /// where they wrote nothing.
    /// </summary>
    public static async Task<SortedList<int, KeyHolder>> ItemsAsync(NpgsqlDataSource source, short bucket, StartKey key, CancellationToken cancel)
    {
        await using var command = source.CreateCommand(SqlText.KeyItems);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(key.Organisation));
        command.Parameters.Add(Columns.Value(key.Key));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var items = new SortedList<int, KeyHolder>();
        while (await reader.ReadAsync(cancel))
        {
            // The batch's key, U+001F, which no header can contain, and the item's place.
            var place = int.Parse(reader.GetString(0).AsSpan(key.Key.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture);
            items[place] = new(reader.GetGuid(2), reader.GetFieldValue<byte[]>(1));
        }

        return items;
    }

    private static void AddKeys(NpgsqlCommand command, short bucket, IReadOnlyList<StartKey> keys)
    {
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Array(keys, NpgsqlDbType.Uuid, key => key.Organisation));
        command.Parameters.Add(Columns.Array(keys, NpgsqlDbType.Text, key => key.Key));
    }
}
