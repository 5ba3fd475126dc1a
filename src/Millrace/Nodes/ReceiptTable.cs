using System.Collections.Concurrent;
using Millrace.Store;
using Millrace.Values;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>A receipt could not be kept.</summary>
internal sealed class ReceiptException(string message) : Exception(message);

/// <summary>
/// The table <c>millrace_receipt</c> of a database that SQL nodes write to: in its schema <c>millrace</c>, or else on the
/// login's search path. It is made with the first statement that writes, in the first of them where the login may.
/// </summary>
internal sealed class ReceiptTable
{
    private const string Name = "millrace_receipt";

    // "receipt" in ASCII.
    private const long LockKey = 0x72_65_63_65_69_70_74;
    private static readonly ConcurrentDictionary<string, string> Guards = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, string> Inserts = new(StringComparer.Ordinal);
    private volatile string? found;
    private volatile bool looked;

    /// <summary>Its full name; null where there is none that can be used.</summary>
    /// <param name="session">Where to look.</param>
    /// <param name="afresh">Whether to look again where there was none: somebody else may have made it since.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<string?> FindAsync(NpgsqlConnection session, bool afresh, CancellationToken cancel)
    {
        if (looked && (found is not null || !afresh))
            return found;
        await using var command = new NpgsqlCommand($"""
            SELECT format('%I.{Name}', schema.nspname)
            FROM pg_catalog.pg_class AS receipts
            JOIN pg_catalog.pg_namespace AS schema ON schema.oid = receipts.relnamespace
            WHERE receipts.relname = '{Name}' AND receipts.relkind IN ('r', 'p') AND receipts.relpersistence = 'p'
              AND (schema.nspname = 'millrace' OR schema.nspname = ANY (current_schemas(false)))
              AND has_schema_privilege(schema.oid, 'USAGE')
              AND has_table_privilege(receipts.oid, 'SELECT') AND has_table_privilege(receipts.oid, 'INSERT')
            ORDER BY schema.nspname = 'millrace' DESC, array_position(current_schemas(false), schema.nspname)
            LIMIT 1
            """, session);
        found = await command.ExecuteScalarAsync(cancel) as string;
        looked = true;
        return found;
    }

    /// <summary>Looks again the next time.</summary>
    public void Forget() => looked = false;

    /// <summary>Makes it.</summary>
    /// <exception cref="ReceiptException">The login may not; the message has what an administrator can do.</exception>
    public async Task CreateAsync(NpgsqlConnection session, CancellationToken cancel)
    {
        var schema = await SchemaAsync(session, cancel) ?? throw new ReceiptException(await RemedyAsync(session, cancel));
        await using var batch = new NpgsqlBatch(session)
        {
            BatchCommands =
            {
                // Those who make it at the same time do so one after the other: IF NOT EXISTS alone lets some of them fail.
                new($"SELECT pg_advisory_xact_lock({LockKey})"),
                new($"CREATE TABLE IF NOT EXISTS {schema}.{Name} {Shape}"),
                new($"CREATE INDEX IF NOT EXISTS {Name}_age ON {schema}.{Name} (created_at, execution_id)"),
            },
        };
        try
        {
            await batch.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new ReceiptException(await RemedyAsync(session, cancel));
        }

        Forget();
    }

    /// <summary>Refuses an execution that has a receipt: with an error, so that what follows it is not executed.</summary>
    public static NpgsqlBatchCommand Guard(string table, Receipt receipt) => new(GuardOf(table))
    {
        Parameters = { Columns.Value(receipt.Effect), Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)) },
    };

    /// <summary>Writes a receipt; a second one for an execution breaks the key, and with it the transaction.</summary>
    public static NpgsqlBatchCommand Insert(string table, Receipt receipt, Json result) => new(InsertInto(table))
    {
        Parameters =
        {
            Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)),
            Columns.Value(receipt.Effect),
            Columns.Value(receipt.Context.Organisation),
            Columns.Value(receipt.Context.Instance),
            Columns.Value(receipt.Key.Path),
            Columns.Value(receipt.Key.Iteration),
            Columns.Value(receipt.Key.Attempt),
            Columns.Json(result),
        },
    };

    /// <summary>The result that a receipt keeps; null where there is none.</summary>
    public static async Task<Json?> ResultAsync(NpgsqlConnection session, string table, Receipt receipt, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"SELECT result FROM {table} WHERE execution_id = $1 AND bucket = $2", session)
        {
            Parameters = { Columns.Value(receipt.Effect), Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? reader.JsonOrNull(0) : null;
    }

    /// <summary>The text of <see cref="Guard"/>.</summary>
    public static string GuardOf(string table) => Guards.GetOrAdd(table, static table =>
        $"SELECT ('this execution has its receipt already: ' || execution_id)::integer FROM {table} WHERE execution_id = $1 AND bucket = $2");

    /// <summary>The text of <see cref="Insert"/>.</summary>
    public static string InsertInto(string table) => Inserts.GetOrAdd(table, static table => $"""
        INSERT INTO {table} (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """);

    /// <summary>A batch of receipts older than an age, in the order of their age; those after the given one.</summary>
    public static async Task<IReadOnlyList<OldReceipt>> OldAsync(
        NpgsqlConnection session, string table, TimeSpan age, OldReceipt? after, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"""
            SELECT execution_id, bucket, organisation_id, instance_id, path, iteration, created_at
            FROM {table}
            WHERE created_at < now() - $1 AND (created_at, execution_id) > ($2, $3)
            ORDER BY created_at, execution_id
            LIMIT 5000
            """, session)
        {
            Parameters = { Columns.Value(age), Columns.Value(after?.CreatedAt ?? DateTime.UnixEpoch), Columns.Value(after?.Effect ?? Guid.Empty) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var old = new List<OldReceipt>();
        while (await reader.ReadAsync(cancel))
        {
            old.Add(new(
                reader.GetGuid(0), reader.GetInt16(1), reader.GetGuid(2), reader.GetGuid(3), reader.GetString(4), reader.GetInt32(5), reader.GetDateTime(6)));
        }

        return old;
    }

    /// <summary>Deletes receipts; those that another process is about to delete are left to it.</summary>
    public static async Task<int> DeleteAsync(NpgsqlConnection session, string table, Guid[] effects, CancellationToken cancel)
    {
        if (effects is [])
            return 0;
        await using var command = new NpgsqlCommand($"""
            DELETE FROM {table}
            WHERE execution_id = ANY (ARRAY(SELECT execution_id FROM {table} WHERE execution_id = ANY ($1) FOR UPDATE SKIP LOCKED))
            """, session)
        {
            Parameters = { Columns.Value(effects) },
        };
        return await command.ExecuteNonQueryAsync(cancel);
    }

    private const string Shape = """
        (
            bucket          smallint    NOT NULL,
            execution_id    uuid        NOT NULL,
            organisation_id uuid        NOT NULL,
            instance_id     uuid        NOT NULL,
            path            text        NOT NULL COLLATE "C",
            iteration       integer     NOT NULL,
            attempt         integer     NOT NULL,
            result          json        NOT NULL,
            created_at      timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (execution_id, bucket)
        )
        """;

    private static async Task<string?> SchemaAsync(NpgsqlConnection session, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("""
            SELECT quote_ident(nspname)
            FROM pg_catalog.pg_namespace
            WHERE (nspname = 'millrace' OR nspname = ANY (current_schemas(false))) AND has_schema_privilege(oid, 'CREATE')
            ORDER BY nspname = 'millrace' DESC, array_position(current_schemas(false), nspname)
            LIMIT 1
            """, session);
        return await command.ExecuteScalarAsync(cancel) as string;
    }

    private static async Task<string> RemedyAsync(NpgsqlConnection session, CancellationToken cancel)
    {
        // Where a schema "millrace" is somebody else's, the store's for one, the login's own stands first on its search path.
        await using var command = new NpgsqlCommand("""
            SELECT quote_ident(current_user), quote_ident(current_database()),
                   CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'millrace') THEN '' ELSE 'millrace ' END
            """, session);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return $"the statement writes, and its receipt, without which it could happen twice, cannot be kept: the login {reader.GetString(0)} can neither use nor make"
            + $" a table {Name} in the database {reader.GetString(1)}. Give it a schema of its own there: CREATE SCHEMA {reader.GetString(2)}AUTHORIZATION {reader.GetString(0)}";
    }
}
