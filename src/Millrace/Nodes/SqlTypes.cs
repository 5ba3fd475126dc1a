using System.Collections.Concurrent;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Nodes;

/// <summary>
/// How the values of a database's types are written. The common ones have the same numbers everywhere; any other is looked
/// up when it is first seen, so one that was made a moment ago is known as well as an old one.
/// </summary>
internal sealed class SqlTypes(NpgsqlDataSource source)
{
    private readonly ConcurrentDictionary<uint, SqlValueWriter> known = new(Common());

    /// <summary>Whether a type is known.</summary>
    public bool TryGet(uint type, out SqlValueWriter? writer) => known.TryGetValue(type, out writer);

    /// <summary>Looks types up, on a session of its own: that which has the result is busy with it.</summary>
    public async Task<SqlValueWriter> FindAsync(uint type, CancellationToken cancel)
    {
        await using var session = await source.OpenConnectionAsync(cancel);
        // A type with those that it is made of: an array's elements, a domain's base.
        await using var command = new NpgsqlCommand("""
            WITH RECURSIVE part AS (
                SELECT $1::pg_catalog.oid AS oid
                UNION
                SELECT CASE type.typtype WHEN 'd' THEN type.typbasetype ELSE type.typelem END
                FROM part
                JOIN pg_catalog.pg_type AS type ON type.oid = part.oid
                WHERE type.typtype = 'd' OR type.typinput = 'pg_catalog.array_in'::pg_catalog.regproc)
            SELECT type.oid, type.typtype = 'd', type.typbasetype,
                   type.typinput = 'pg_catalog.array_in'::pg_catalog.regproc, type.typelem, element.typdelim::pg_catalog.text
            FROM part
            JOIN pg_catalog.pg_type AS type USING (oid)
            LEFT JOIN pg_catalog.pg_type AS element ON element.oid = type.typelem
            """, session);
        command.Parameters.Add(new NpgsqlParameter<uint> { TypedValue = type, NpgsqlDbType = NpgsqlDbType.Oid });
        var found = new Dictionary<uint, Part>();
        await using (var reader = await command.ExecuteReaderAsync(cancel))
        {
            while (await reader.ReadAsync(cancel))
            {
                found[reader.GetFieldValue<uint>(0)] = new(
                    reader.GetBoolean(1) ? reader.GetFieldValue<uint>(2) : null,
                    reader.GetBoolean(3) ? reader.GetFieldValue<uint>(4) : null,
                    reader.IsDBNull(5) ? ',' : reader.GetString(5)[0]);
            }
        }

        var writer = WriterOf(type, found);
        // One that only its own transaction can see so far may be found the next time.
        if (found.ContainsKey(type))
            known[type] = writer;
        return writer;
    }

    /// <summary>Forgets what was looked up.</summary>
    public void Forget()
    {
        foreach (var type in known.Keys.Where(type => !IsCommon(type)))
            known.TryRemove(type, out _);
    }

    private SqlValueWriter WriterOf(uint type, Dictionary<uint, Part> found) =>
        known.TryGetValue(type, out var writer) ? writer
        : !found.TryGetValue(type, out var part) ? SqlValues.Text
        : part.Base is { } domain ? WriterOf(domain, found)
        : part.Element is { } element ? SqlValues.Array(WriterOf(element, found), part.Delimiter)
        : SqlValues.Text;

    private static readonly uint[] Texts = [18, 19, 25, 17, 1042, 1043, 1082, 1083, 1186, 1266, 2950];
    private static readonly uint[] Numbers = [20, 21, 23, 26, 700, 701, 1700];

    // Their numbers are part of PostgreSQL's protocol: pg_type.dat.
    private static Dictionary<uint, SqlValueWriter> Common()
    {
        var common = new Dictionary<uint, SqlValueWriter>
        {
            [16] = SqlValues.Boolean,
            [114] = SqlValues.Json,
            [3802] = SqlValues.Json,
            [1114] = SqlValues.Time,
            [1184] = SqlValues.Time,
        };
        foreach (var type in Texts)
            common[type] = SqlValues.Text;
        foreach (var type in Numbers)
            common[type] = SqlValues.Number;
        return common;
    }

    private static bool IsCommon(uint type) => type is 16 or 114 or 3802 or 1114 or 1184 || Texts.Contains(type) || Numbers.Contains(type);

    private readonly record struct Part(uint? Base, uint? Element, char Delimiter);
}
