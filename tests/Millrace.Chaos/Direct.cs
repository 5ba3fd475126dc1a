using Npgsql;

namespace Millrace.Chaos;

/// <summary>Statements on a connection of their own.</summary>
internal static class Direct
{
    public static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        // One message holds one statement; several are a text that the server itself executes.
        await using var command = new NpgsqlCommand(
            sql.TrimEnd().TrimEnd(';').Contains(';', StringComparison.Ordinal) ? $"DO $all$ BEGIN EXECUTE $script${sql}$script$; END $all$" : sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public static async Task<T> ScalarAsync<T>(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Executes a statement that may be executed several times, until it has been.</summary>
    public static async Task InsistAsync(string connectionString, string sql, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await ExecuteAsync(connectionString, sql);
                return;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(100, cancel);
            }
        }
    }

    /// <summary>The rows of a query.</summary>
    public static async IAsyncEnumerable<NpgsqlDataReader> RowsAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            yield return reader;
    }
}
