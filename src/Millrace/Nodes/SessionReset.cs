using System.Data;
using System.Security.Cryptography;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>
/// Puts a session back to how it began, after a statement that may have left something in it. A session that cannot be put
/// back for certain does not serve again.
/// </summary>
internal static class SessionReset
{
    // No command puts back what a language or an extension keeps in the memory of its session: global variables, or open
    // connections of its own. Only of these is it known that they keep nothing.
    private const string KeepsMore = """
        SELECT pg_catalog.setseed($1),
               EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname NOT IN ('internal', 'c', 'sql', 'plpgsql'))
               OR EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname NOT IN (
                   'plpgsql', 'amcheck', 'bloom', 'btree_gin', 'btree_gist', 'citext', 'cube', 'dict_int', 'earthdistance',
                   'fuzzystrmatch', 'hstore', 'intarray', 'isn', 'ltree', 'pageinspect', 'pg_buffercache', 'pg_freespacemap',
                   'pg_stat_statements', 'pg_trgm', 'pg_visibility', 'pgcrypto', 'pgrowlocks', 'pgstattuple', 'seg',
                   'tablefunc', 'unaccent', 'uuid-ossp', 'vector'))
        """;

    /// <summary>Puts a session back, or sees to it that its pool closes it. Never fails.</summary>
    public static async ValueTask PutBackAsync(SqlConnection connection, NpgsqlConnection session, string statement)
    {
        // One that is lost is closed anyway.
        if (session.FullState is not ConnectionState.Open)
            return;
        try
        {
            if (!StatementWords.CannotBeTakenBack(statement) && await IsPutBackAsync(session))
                return;
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
        }

        // Npgsql closes those that were open when their pool was cleared, this one among them.
        connection.Wary.Clear();
    }

    private static async Task<bool> IsPutBackAsync(NpgsqlConnection session)
    {
        await using var batch = new NpgsqlBatch(session)
        {
            Timeout = 5,
            BatchCommands =
            {
                // It puts back the session's authorization too, and leaves a role that the login begins with.
                new("DISCARD ALL") { AppendErrorBarrier = true },
                new("RESET ROLE") { AppendErrorBarrier = true },
                // The seed of random() is the one setting that neither of them knows.
                new(KeepsMore) { Parameters = { new NpgsqlParameter<double> { TypedValue = RandomNumberGenerator.GetInt32(int.MaxValue) / (double)int.MaxValue } } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        return await reader.ReadAsync(CancellationToken.None) && !reader.GetBoolean(1);
    }
}
