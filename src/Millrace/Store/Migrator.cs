using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Millrace.Store;

/// <summary>A numbered script that brings the schema from one version to the next.</summary>
/// <param name="Number">Its place in the order, from 1, without gaps.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Sql">Its text.</param>
internal sealed record Migration(int Number, string Name, string Sql)
{
    // Line ends are a matter of the checkout, not of the script.
    public byte[] Checksum { get; } = SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n")));

    public static IReadOnlyList<Migration> Embedded { get; } = Load();

    private static List<Migration> Load()
    {
        const string folder = "Migrations/";
        return [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(name => name.StartsWith(folder, StringComparison.Ordinal))
            .Select(name => new Migration(
                int.Parse(name.AsSpan(folder.Length, 4), NumberStyles.None, CultureInfo.InvariantCulture), name[folder.Length..], SqlText.Load(name)))
            .OrderBy(migration => migration.Number)];
    }
}

/// <summary>The schema is not one that this program can work with.</summary>
/// <param name="message">What does not fit, and what to do.</param>
public sealed class SchemaException(string message) : Exception(message);

/// <summary>
/// Brings the schema up to date. All scripts run in one transaction under an advisory lock, so that of many processes
/// that start together one does the work and the others find it done, and a failure leaves nothing half-way.
/// </summary>
internal sealed class Migrator(NpgsqlDataSource source, IReadOnlyList<Migration> migrations, ILogger<Migrator> log)
{
    // Any number will do, as long as nothing else takes it: "Millrace" in ASCII.
    internal const long LockKey = 0x4D696C6C72616365;

    private static readonly TimeSpan LockLimit = TimeSpan.FromMilliseconds(500);

    public async Task ApplyAsync(int buckets, CancellationToken cancel)
    {
        await MigrateAsync(buckets, cancel);
        await Partitions.EnsureAsync(source, cancel);
    }

    private async Task MigrateAsync(int buckets, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await ExecuteAsync(connection, "SELECT pg_advisory_xact_lock($1)", cancel, LockKey);
        // Whoever waits for a table that somebody reads for long has all others wait behind it.
        await ExecuteAsync(connection, $"SET LOCAL lock_timeout = '{LockLimit.TotalMilliseconds:0}ms'", cancel);
        await PrepareAsync(connection, cancel);

        var applied = await AppliedAsync(connection, cancel);
        Compare(applied);
        foreach (var migration in migrations.Where(migration => !applied.ContainsKey(migration.Number)))
        {
            log.ApplyingMigration(migration.Name);
            await RunAsync(connection, migration, cancel);
        }

        await NoteBucketsAsync(connection, buckets, cancel);
        await transaction.CommitAsync(cancel);
    }

    // The store's own book-keeping belongs to no organisation and is never distributed.
    private static async Task PrepareAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var present = await ScalarAsync(connection, "SELECT to_regclass('millrace.migration') IS NOT NULL", cancel);
        if (present is true)
            return;
        await ExecuteAsync(connection, "CREATE SCHEMA IF NOT EXISTS millrace", cancel);
        await ExecuteAsync(connection, """
            CREATE TABLE millrace.migration (
                number     integer     PRIMARY KEY,
                name       text        NOT NULL,
                checksum   bytea       NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now())
            """, cancel);
        await ExecuteAsync(connection, """
            CREATE TABLE millrace.bucket_count (
                buckets integer     PRIMARY KEY,
                since   timestamptz NOT NULL DEFAULT now())
            """, cancel);
    }

    private static async Task<Dictionary<int, (string Name, byte[] Checksum)>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("SELECT number, name, checksum FROM millrace.migration", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var applied = new Dictionary<int, (string, byte[])>();
        while (await reader.ReadAsync(cancel))
            applied[reader.GetInt32(0)] = (reader.GetString(1), reader.GetFieldValue<byte[]>(2));
        return applied;
    }

    private void Compare(Dictionary<int, (string Name, byte[] Checksum)> applied)
    {
        for (var i = 0; i < migrations.Count; i++)
        {
            if (migrations[i].Number != i + 1)
                throw new SchemaException($"Migration {i + 1:0000} is missing from this build: the next one it has is {migrations[i].Name}.");
        }

        foreach (var (number, (name, checksum)) in applied.OrderBy(pair => pair.Key))
        {
            if (migrations.FirstOrDefault(migration => migration.Number == number) is not { } known)
            {
                throw new SchemaException($"The store has had migration {name}, which this build does not know."
                    + " The store was used by a newer Millrace: run that one, or restore a backup from before it.");
            }

            if (!known.Checksum.AsSpan().SequenceEqual(checksum))
            {
                throw new SchemaException($"Migration {known.Name} differs from the one that the store has had."
                    + " A migration never changes once it has run: restore the file, and put the change into a new one.");
            }
        }
    }

    private static async Task RunAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancel)
    {
        foreach (var statement in SqlScript.Split(migration.Sql))
            await ExecuteAsync(connection, statement, cancel);
        await ExecuteAsync(connection, "INSERT INTO millrace.migration (number, name, checksum) VALUES ($1, $2, $3)", cancel,
            migration.Number, migration.Name, migration.Checksum);
    }

    // A number that has grown places keys a day later, see BucketHistory; the first one does at once.
    private static async Task NoteBucketsAsync(NpgsqlConnection connection, int buckets, CancellationToken cancel)
    {
        var most = await ScalarAsync(connection, "SELECT max(buckets) FROM millrace.bucket_count", cancel) as int? ?? 0;
        if (most > buckets)
        {
            throw new SchemaException($"Millrace:Store:Buckets is {buckets}, but this store has been used with {most}."
                + " It can only grow: instances in the higher buckets would never be run.");
        }

        if (most < buckets)
        {
            await ExecuteAsync(connection, "INSERT INTO millrace.bucket_count (buckets, keys_from) VALUES ($1, now() + $2)", cancel,
                buckets, most == 0 ? TimeSpan.Zero : BucketHistory.Grace);
        }
    }

    internal static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return await command.ExecuteScalarAsync(cancel);
    }
}
