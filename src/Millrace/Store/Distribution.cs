using Millrace.Configuration;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Spreads a store over the nodes of a distributed PostgreSQL (Citus; Azure's elastic clusters) by its buckets. Every table
/// is distributed by <c>bucket</c> and lies with the others, so that each statement, which names one bucket, stays on one node.
/// </summary>
public sealed class Distribution
{
    // All others lie with the largest, which therefore comes first.
    private const string First = "instance";
    private readonly Database database;

    internal Distribution(Database database) => this.database = database;

    /// <summary>Distributes what is not distributed yet; may be run again at any time.</summary>
    /// <param name="say">Takes a line for each table.</param>
    /// <param name="cancel">Gives up; what is done stays done.</param>
    /// <exception cref="SettingException">The database is not a distributed one.</exception>
    public async Task RunAsync(Action<string> say, CancellationToken cancel)
    {
        await using var connection = await database.Source.OpenConnectionAsync(cancel);
        await using (var command = new NpgsqlCommand("SELECT extversion FROM pg_extension WHERE extname = 'citus'", connection))
        {
            if (await command.ExecuteScalarAsync(cancel) is not string version)
                throw new SettingException("Millrace:ConnectionString", "leads to a database without the extension \"citus\": there is nothing to distribute over. On Azure, create the server as an elastic cluster");
            say($"Citus {version}");
        }

        if (database.Buckets == 1)
            say("Millrace:Store:Buckets is 1: everything new will lie on one node. Set it to a multiple of the number of shards (citus.shard_count, 32 unless it was changed) for all processes; it can grow at any time.");
        await DistributeAsync(connection, say, cancel);
    }

    internal static async Task DistributeAsync(NpgsqlConnection connection, Action<string> say, CancellationToken cancel)
    {
        var tables = await TextsAsync(connection, """
            SELECT class.relname
            FROM pg_class AS class
            JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attname = 'bucket' AND NOT attribute.attisdropped
            WHERE class.relnamespace = 'millrace'::regnamespace AND class.relkind IN ('r', 'p') AND NOT class.relispartition
            """, cancel);
        var distributed = await TextsAsync(connection, """
            SELECT class.relname
            FROM pg_dist_partition AS distributed
            JOIN pg_class AS class ON class.oid = distributed.logicalrelid
            WHERE class.relnamespace = 'millrace'::regnamespace
            """, cancel);
        foreach (var table in tables.OrderBy(table => table != First).ThenBy(table => table, StringComparer.Ordinal))
        {
            if (distributed.Contains(table))
            {
                say($"millrace.{table} is distributed already");
                continue;
            }

            await Migrator.ExecuteAsync(connection, Statement(table), cancel);
            say($"millrace.{table} is distributed by bucket{(table == First ? "" : $", beside millrace.{First}")}");
        }
    }

    internal static string Statement(string table) => table == First
        ? $"SELECT create_distributed_table('millrace.{table}', 'bucket')"
        : $"SELECT create_distributed_table('millrace.{table}', 'bucket', colocate_with => 'millrace.{First}')";

    private static async Task<HashSet<string>> TextsAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var texts = new HashSet<string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancel))
            texts.Add(reader.GetString(0));
        return texts;
    }
}
