using System.Security.Cryptography;
using System.Text;
using Millrace.Store;
using Npgsql;

namespace Millrace.Server.LocalPostgres;

/// <summary>
/// The logins of a local PostgreSQL. Its superuser only sets things up; the store's login owns the schema <c>millrace</c>,
/// and that of the SQL nodes everything else. Nobody's statement can run a program, read a file or see the store's tables.
/// </summary>
internal static class LocalRoles
{
    private const string Store = "millrace_store";
    private const string Nodes = "millrace_nodes";

    /// <summary>How the store logs in.</summary>
    public static string ForStore(string superuser) => For(superuser, Store);

    /// <summary>How SQL nodes that name no connection log in.</summary>
    public static string ForNodes(string superuser) => For(superuser, Nodes);

    /// <summary>Makes both for a database, or brings one of an earlier version, where all belonged to the superuser, to that.</summary>
    public static async Task PrepareAsync(string superuser, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(superuser) { Pooling = false, ApplicationName = "millrace-local" }.ConnectionString);
        await connection.OpenAsync(cancel);
        await using var batch = new NpgsqlBatch(connection);
        // Processes that start together do it one after the other. Roles are the whole server's, and this lock is one
        // database's: whoever loses that race finds the role made.
        batch.BatchCommands.Add(new("SELECT pg_advisory_xact_lock(7308332245993382761)"));
        foreach (var role in new[] { Store, Nodes })
            batch.BatchCommands.Add(new(MakeRole(role, new NpgsqlConnectionStringBuilder(For(superuser, role)).Password!)));
        batch.BatchCommands.Add(new(HandOver));
        await batch.ExecuteNonQueryAsync(cancel);
    }

    // Who knows the superuser's password knows theirs, and not the other way round.
    private static string For(string superuser, string role)
    {
        var builder = new NpgsqlConnectionStringBuilder(superuser) { Username = role };
        builder.Password = Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(builder.Password ?? ""), Encoding.UTF8.GetBytes(role)));
        return builder.ConnectionString;
    }

    private static string MakeRole(string role, string password) => $"""
        DO $$ BEGIN
            CREATE ROLE {role} LOGIN PASSWORD '{password}';
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END $$
        """;

    // In a database of an earlier version the superuser has made everything, and what nodes made lies in the schema
    // "millrace" too, because the superuser is called that. It moves to "public", the receipts with it; then each object gets
    // its owner.
    private static readonly string HandOver = $"""
        DO $$
        DECLARE
            command text;
        BEGIN
            EXECUTE format('GRANT CREATE ON DATABASE %I TO {Store}', current_database());
            EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO {Nodes}', current_database());
            GRANT USAGE, CREATE ON SCHEMA public TO {Nodes};
            IF to_regnamespace('millrace') IS NULL THEN
                CREATE SCHEMA millrace AUTHORIZATION {Store};
            END IF;
            IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'millrace' AND nspowner = '{Store}'::regrole) THEN
                RETURN;
            END IF;
            FOR command IN
                SELECT format('ALTER %s %s SET SCHEMA public', kind, name)
                FROM ({Objects}) AS object
                WHERE kind <> 'schema' AND schema = 'millrace' AND owner = current_user::regrole
                  AND NOT (kind = 'table' AND coalesce(root, plain) ~ '^({string.Join('|', StoreTables.Names)})(_[0-9]+)?$')
                  AND NOT (kind = 'table' AND to_regclass('public.' || quote_ident(plain)) IS NOT NULL)
            LOOP
                EXECUTE command;
            END LOOP;
            FOR command IN
                SELECT format('ALTER %s %s OWNER TO %I', kind, name, CASE WHEN schema = 'millrace' THEN '{Store}' ELSE '{Nodes}' END)
                FROM ({Objects}) AS object
                WHERE owner = current_user::regrole AND schema !~ '^pg_' AND schema <> 'information_schema' AND NOT (kind = 'schema' AND schema = 'public')
                  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = object.oid AND deptype = 'e')
            LOOP
                EXECUTE command;
            END LOOP;
        END $$
        """;

    // Whatever has an owner of its own: the sequence of a column, a table's type and its indexes have the table's.
    private const string Objects = """
        SELECT 'schema' AS kind, quote_ident(nspname) AS name, nspname AS plain, NULL::name AS root, nspname AS schema, nspowner AS owner, 'pg_namespace'::regclass AS class, oid
        FROM pg_namespace
        UNION ALL
        SELECT 'table', relation.oid::regclass::text, relname, (SELECT relname FROM pg_class WHERE oid = pg_partition_root(relation.oid)), nspname, relowner, 'pg_class'::regclass, relation.oid
        FROM pg_class AS relation
        JOIN pg_namespace AS space ON space.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype IN ('a', 'i')))
        UNION ALL
        SELECT 'routine', routine.oid::regprocedure::text, proname, NULL, nspname, proowner, 'pg_proc'::regclass, routine.oid
        FROM pg_proc AS routine
        JOIN pg_namespace AS space ON space.oid = pronamespace
        UNION ALL
        SELECT 'type', type.oid::regtype::text, typname, NULL, nspname, typowner, 'pg_type'::regclass, type.oid
        FROM pg_type AS type
        JOIN pg_namespace AS space ON space.oid = typnamespace
        WHERE typtype IN ('d', 'e', 'r') OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c')
        """;
}
