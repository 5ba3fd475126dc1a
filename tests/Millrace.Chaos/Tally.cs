using System.Collections.Concurrent;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>Compares what is there with what should be.</summary>
internal sealed class Tally(ConcurrentDictionary<string, (Kind Kind, Guid Instance)> started, Receiver receiver, string store, string other)
{
    private const int Completed = 4;

    public async Task<ChaosReport> CountAsync(ChaosReport report)
    {
        var (completed, failed) = await OutcomesAsync();
        var (missing, doubled) = await EffectsAsync();
        var (wrongRequests, repeated) = Requests();
        return report with
        {
            Completed = completed.Count,
            Failed = failed,
            Stuck = [.. started.Where(start => !completed.Contains(start.Value.Instance) && !failed.Any(text => text.Contains($"{start.Value.Instance}", StringComparison.Ordinal)))
                .Select(start => $"{start.Key} ({start.Value.Kind.Name}), instance {start.Value.Instance}")],
            WrongStarts = await WrongStartsAsync(),
            Effects = started.Values.Sum(start => start.Kind.Effects.Values.Sum() + start.Kind.Elsewhere.Values.Sum()),
            Missing = missing,
            Doubled = doubled,
            WrongResults = await WrongResultsAsync(),
            WrongRequests = wrongRequests,
            RepeatedRequests = repeated,
        };
    }

    private async Task<(HashSet<Guid> Completed, List<string> Failed)> OutcomesAsync()
    {
        var completed = new HashSet<Guid>();
        var failed = new List<string>();
        await foreach (var row in RowsAsync(store, """
            SELECT outcome.id, outcome.status::integer, outcome.error::text
            FROM millrace.outcome
            JOIN millrace.instance USING (bucket, id)
            WHERE instance.label = 'chaos' AND instance.parent_id IS NULL
            """))
        {
            if (row.GetInt32(1) == Completed)
                completed.Add(row.GetGuid(0));
            else
                failed.Add($"{row.GetGuid(0)}: {(row.IsDBNull(2) ? "no error" : row.GetString(2))}");
        }

        return (completed, failed);
    }

    // An acknowledged key has one instance, the one that was named; a key that was not acknowledged is none of ours.
    private async Task<List<string>> WrongStartsAsync()
    {
        var instances = new Dictionary<string, List<Guid>>();
        await foreach (var row in RowsAsync(store, "SELECT input ->> 'key', id FROM millrace.instance WHERE label = 'chaos' AND parent_id IS NULL"))
            (instances.TryGetValue(row.GetString(0), out var list) ? list : instances[row.GetString(0)] = []).Add(row.GetGuid(1));
        return [.. started
            .Where(start => instances.GetValueOrDefault(start.Key) is not [var only] || only != start.Value.Instance)
            .Select(start => $"{start.Key}: {string.Join(", ", instances.GetValueOrDefault(start.Key) ?? [])}; acknowledged was {start.Value.Instance}")];
    }

    private async Task<(List<string> Missing, List<string> Doubled)> EffectsAsync()
    {
        var missing = new List<string>();
        var doubled = new List<string>();
        foreach (var (database, effectsOf) in new[] { (store, (Func<Kind, IReadOnlyDictionary<string, int>>)(kind => kind.Effects)), (other, kind => kind.Elsewhere) })
        {
            var there = new Dictionary<string, long>();
            await foreach (var row in RowsAsync(database, "SELECT key, count(*) FROM effect GROUP BY key"))
                there[row.GetString(0)] = row.GetInt64(1);
            foreach (var (key, (kind, _)) in started)
            {
                foreach (var (name, expected) in effectsOf(kind))
                {
                    var count = there.GetValueOrDefault($"{key}/{name}");
                    there.Remove($"{key}/{name}");
                    if (count != expected)
                        (count < expected ? missing : doubled).Add($"{key}/{name} ({kind.Name}): {count} in place of {expected}");
                }
            }

            doubled.AddRange(there.Select(rest => $"{rest.Key}: {rest.Value} that nobody asked for"));
        }

        return (missing, doubled);
    }

    // What a later node wrote down of an earlier one's result must be what the earlier one's only effect is.
    private async Task<List<string>> WrongResultsAsync()
    {
        var numbers = new Dictionary<string, long>();
        var origins = new List<(string Key, long Origin)>();
        foreach (var database in new[] { store, other })
        {
            await foreach (var row in RowsAsync(database, "SELECT key, number, origin FROM effect"))
            {
                if (database == store)
                    numbers[row.GetString(0)] = row.GetInt64(1);
                if (!row.IsDBNull(2))
                    origins.Add((row.GetString(0), row.GetInt64(2)));
            }
        }

        return [.. origins.Where(item => numbers.GetValueOrDefault(OriginOf(item.Key)) != item.Origin).Select(item => $"{item.Key} has {item.Origin}")];
    }

    private static string OriginOf(string key) => key.Split('/') is [var start, "parent"] ? $"{start}/child" : $"{key.Split('/')[0]}/1";

    private (List<string> Wrong, int Repeated) Requests()
    {
        var received = receiver.Requests
            .GroupBy(request => request.Path.Split("key=")[1])
            .ToDictionary(group => group.Key, group => group.Select(request => request.Headers.GetValueOrDefault("Idempotency-Key") ?? "").ToList());
        var wrong = started
            .SelectMany(start => start.Value.Kind.Requests.Keys.Select(name => $"{start.Key}/{name}"))
            .Where(name => received.GetValueOrDefault(name)?.Distinct().ToList() is not [{ Length: > 0 }])
            .ToList();
        return (wrong, received.Values.Sum(keys => keys.Count - 1));
    }

    private static async IAsyncEnumerable<NpgsqlDataReader> RowsAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            yield return reader;
    }
}
