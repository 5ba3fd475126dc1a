using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Millrace.Faults;

namespace Millrace.Store;

/// <summary>API keys: <c>mr_…</c>, of which only the SHA-256 is stored.</summary>
public sealed class KeyStore(Database database, TimeProvider time, StorePatience patience)
{
    private const string Prefix = "mr_";
    private const int LongestKey = 200;
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(60);

    // Bounded, since callers choose what they ask for; forgetting everything now and then is harmless.
    private const int CacheSize = 10_000;
    private readonly ConcurrentDictionary<string, (Guid? Organisation, long Until)> cache = new(StringComparer.Ordinal);

    /// <summary>Whose key it is; null for a wrong one. Answers are remembered for a minute.</summary>
    public async ValueTask<Guid?> OrganisationOfAsync(string key, CancellationToken cancel)
    {
        if (!key.StartsWith(Prefix, StringComparison.Ordinal) || key.Length > LongestKey)
            return null;
        if (cache.TryGetValue(key, out var known) && time.GetTimestamp() < known.Until)
            return known.Organisation;

        var organisation = await patience.RideOutAsync(token => LookUpAsync(key, token), cancel);
        if (cache.Count >= CacheSize)
            cache.Clear();
        cache[key] = (organisation, time.GetTimestamp() + (long)(Remembered.TotalSeconds * time.TimestampFrequency));
        return organisation;
    }

    /// <summary>
    /// Makes sure that there is an organisation with a key. On an empty store both are made; a given key is added where
    /// it is missing.
    /// </summary>
    /// <param name="given">The key that must work; null to make one on an empty store only.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The key if one was made up here; it is never to be had again.</returns>
    public async Task<string?> EnsureAsync(string? given, CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await Migrator.ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, Migrator.LockKey);

        var organisation = await FirstOrganisationAsync(cancel) ?? await CreateOrganisationAsync(cancel);
        var made = given is null && !await AnyKeyAsync(cancel) ? NewKey() : null;
        if ((given ?? made) is { } key)
        {
            await Migrator.ExecuteAsync(connection, """
                INSERT INTO millrace.api_key (bucket, hash, organisation_id, name)
                VALUES (0, $1, $2, $3)
                ON CONFLICT DO NOTHING
                """, cancel, HashOf(key), organisation, given is null ? "first" : "from the settings");
        }

        await transaction.CommitAsync(cancel);
        return made;

        async Task<Guid?> FirstOrganisationAsync(CancellationToken cancel)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = "SELECT organisation_id FROM millrace.organisation ORDER BY organisation_id LIMIT 1";
            return await command.ExecuteScalarAsync(cancel) as Guid?;
        }

        async Task<bool> AnyKeyAsync(CancellationToken cancel)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = "SELECT EXISTS (SELECT FROM millrace.api_key WHERE bucket = 0)";
            return await command.ExecuteScalarAsync(cancel) is true;
        }

        async Task<Guid> CreateOrganisationAsync(CancellationToken cancel)
        {
            var id = InstanceId.New(bucket: 0);
            await Migrator.ExecuteAsync(connection, """
                INSERT INTO millrace.organisation (bucket, organisation_id, name)
                VALUES ($1, $2, 'default')
                """, cancel, InstanceId.BucketOf(id), id);
            return id;
        }
    }

    /// <summary>A new key: 256 random bits.</summary>
    public static string NewKey() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    internal static byte[] HashOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private async Task<Guid?> LookUpAsync(string key, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT organisation_id
            FROM millrace.api_key
            WHERE bucket = 0 AND hash = $1 AND revoked_at IS NULL
            """);
        command.Parameters.Add(Columns.Value(HashOf(key)));
        return await command.ExecuteScalarAsync(cancel) as Guid?;
    }
}
