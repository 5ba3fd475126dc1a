using System.Collections.Concurrent;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Keeps <c>used_at</c> of the definitions that this process uses young: whoever is about to use one that was not noted for
/// half a day notes it first. So a definition in use is never as old as one that may be removed.
/// </summary>
internal sealed class DefinitionUse(Database database, TimeProvider time)
{
    private const int CacheSize = 10_000;
    private static readonly TimeSpan Every = TimeSpan.FromHours(12);
    private readonly ConcurrentDictionary<(Guid, string), long> noted = new();

    /// <summary>Whether a use of it was noted lately.</summary>
    public bool IsNoted((Guid, string) key) => noted.TryGetValue(key, out var at) && time.GetElapsedTime(at) < Every;

    /// <summary>Remembers that a use of it has just been stored.</summary>
    public void Note((Guid, string) key)
    {
        if (noted.Count >= CacheSize)
            noted.Clear();
        noted[key] = time.GetTimestamp();
    }

    /// <summary>Stores that a definition is used.</summary>
    public async Task StoreAsync(Guid organisation, byte[] hash, (Guid, string) key, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            UPDATE millrace.definition
            SET used_at = now()
            WHERE bucket = $1 AND organisation_id = $2 AND hash = $3 AND used_at < now() - interval '12 hours'
            """);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(organisation)));
        command.Parameters.Add(Columns.Value(organisation));
        command.Parameters.Add(Columns.Value(hash));
        try
        {
            await command.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction)
        {
            // Whoever only looks at it may do so on a store that takes no writes, and whoever runs it finds out.
            return;
        }

        Note(key);
    }
}
