using System.Text.RegularExpressions;
using Millrace.Store;
using Npgsql;

namespace Millrace.Tests.Support;

/// <summary>The plans that a connection of the store makes for the store's statements.</summary>
internal static class Plans
{
    /// <summary>Statements that are asked in the week of their instances.</summary>
    public static IReadOnlyList<string> ByWeek => ["claim.sql", "facts.sql", "instance.sql", "live.sql", "ended_among.sql"];

    /// <summary>The text of a statement as it is asked about instances of this week.</summary>
    public static string Text(string name) =>
        (ByWeek.Contains(name) ? new WeekSql(SqlText.Load(name)).In(Partitions.MondayOf(DateTimeOffset.UtcNow)) : SqlText.Load(name)).TrimEnd().TrimEnd(';');

    public static async Task<string> OfAsync(NpgsqlConnection connection, string name)
    {
        var sql = Text(name);
        var arguments = Regex.Matches(sql, @"\$(\d+)(::(\w+)\[\])?")
            .GroupBy(match => int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture))
            .OrderBy(group => group.Key)
            .Select(group => Argument(group.Key, group.Select(match => match.Groups[3].Value).FirstOrDefault(type => type.Length > 0)));
        await using var command = connection.CreateCommand();
        command.CommandText = $"PREPARE plan AS {sql}";
        await command.ExecuteNonQueryAsync();
        command.CommandText = $"EXPLAIN EXECUTE plan({string.Join(", ", arguments)})";
        var lines = new List<string>();
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                lines.Add(reader.GetString(0));
        }

        command.CommandText = "DEALLOCATE plan";
        await command.ExecuteNonQueryAsync();
        return string.Join('\n', lines);
    }

    // A hundred items in each array; single values do not matter to the plan, but for the bucket and the limit.
    private static string Argument(int number, string? arrayOf) => (number, arrayOf) switch
    {
        (1, _) => "0",
        (_, "uuid") => $"'{{{string.Join(',', Enumerable.Range(0, 100).Select(_ => Guid.NewGuid()))}}}'::uuid[]",
        (_, "bigint") => $"'{{{string.Join(',', Enumerable.Range(0, 100))}}}'::bigint[]",
        _ => "NULL",
    };
}
