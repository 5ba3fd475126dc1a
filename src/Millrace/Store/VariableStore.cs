using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An organisation's variables. Instances take a copy when they start.</summary>
public sealed class VariableStore(Database database)
{
    /// <summary>A variable's value; null where there is none of that name.</summary>
    public async Task<Json?> FindAsync(Guid organisation, string name, CancellationToken cancel)
    {
        await using var command = Command("SELECT value FROM millrace.variable WHERE bucket = $1 AND organisation_id = $2 AND name = $3", organisation, name);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? reader.JsonOrNull(0) : null;
    }

    /// <summary>Sets a variable; tells whether it is new.</summary>
    public async Task<bool> PutAsync(Guid organisation, string name, Json value, CancellationToken cancel)
    {
        await using var command = Command("""
            INSERT INTO millrace.variable (bucket, organisation_id, name, value)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (bucket, organisation_id, name) DO UPDATE SET value = excluded.value, updated_at = now()
            RETURNING xmax = 0
            """, organisation, name);
        command.Parameters.Add(Columns.Json(value));
        return await command.ExecuteScalarAsync(cancel) is true;
    }

    /// <summary>Removes a variable; tells whether there was one.</summary>
    public async Task<bool> DeleteAsync(Guid organisation, string name, CancellationToken cancel)
    {
        await using var command = Command("DELETE FROM millrace.variable WHERE bucket = $1 AND organisation_id = $2 AND name = $3", organisation, name);
        return await command.ExecuteNonQueryAsync(cancel) > 0;
    }

    private NpgsqlCommand Command(string sql, Guid organisation, string name)
    {
        var command = database.Source.CreateCommand(sql);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(organisation)));
        command.Parameters.Add(Columns.Value(organisation));
        command.Parameters.Add(Columns.Value(name));
        return command;
    }
}
