using Millrace.Store;
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
    private const string Table = "millrace_receipt";

    // "receipt" in ASCII.
    private const long LockKey = 0x72_65_63_65_69_70_74;
    private volatile Receipts? found;
    private volatile bool looked;

    /// <summary>Where receipts are kept; null where there is no table that can be used.</summary>
    /// <param name="session">Where to look; not within a transaction.</param>
    /// <param name="afresh">Whether to look again where there was none: somebody else may have made it since.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<Receipts?> FindAsync(NpgsqlConnection session, bool afresh, CancellationToken cancel)
    {
        if (looked && (found is not null || !afresh))
            return found;
        var receipts = await LookAsync(session, cancel);
        found = receipts;
        looked = true;
        return receipts;
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
                new($"CREATE TABLE IF NOT EXISTS {schema}.{Table} {Shape}"),
                new($"CREATE INDEX IF NOT EXISTS {Table}_age ON {schema}.{Table} (created_at, execution_id)"),
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
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.WrongObjectType or PostgresErrorCodes.UndefinedColumn)
        {
            throw Unusable(schema);
        }

        // Something of that name may have been there before, and be of no use.
        if (await FindAsync(session, afresh: true, cancel) is null)
            throw Unusable(schema);
    }

    private static ReceiptException Unusable(string schema) =>
        new($"the statement writes, and its receipt, without which it could happen twice, cannot be kept: {schema}.{Table} must be a table as Millrace makes it, which"
            + $" survives a crash, and which the login may read and insert into. If it is only unlogged: ALTER TABLE {schema}.{Table} SET LOGGED");

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
            Parameters = { Columns.Value(age), Columns.Value(after?.CreatedAt ?? DateTime.UnixEpoch), Columns.Value(after?.Id ?? Guid.Empty) },
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

    private static async Task<Receipts?> LookAsync(NpgsqlConnection session, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"""
            SELECT format('%I.{Table}', schema.nspname)
            FROM pg_catalog.pg_class AS receipts
            JOIN pg_catalog.pg_namespace AS schema ON schema.oid = receipts.relnamespace
            WHERE receipts.relname = '{Table}' AND receipts.relkind IN ('r', 'p') AND receipts.relpersistence = 'p'
              AND (schema.nspname = 'millrace' OR schema.nspname = ANY (current_schemas(false)))
              AND has_schema_privilege(schema.oid, 'USAGE')
              AND has_table_privilege(receipts.oid, 'SELECT') AND has_table_privilege(receipts.oid, 'INSERT')
            ORDER BY schema.nspname = 'millrace' DESC, array_position(current_schemas(false), schema.nspname)
            LIMIT 1
            """, session);
        return await command.ExecuteScalarAsync(cancel) is string name ? new(name) : null;
    }

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
            + $" a table {Table} in the database {reader.GetString(1)}. Give it a schema of its own there: CREATE SCHEMA {reader.GetString(2)}AUTHORIZATION {reader.GetString(0)}";
    }
}
