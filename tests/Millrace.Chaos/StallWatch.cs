using Npgsql;

namespace Millrace.Chaos;

/// <summary>
/// Looks at the live instances from outside, four times a second. An instance that is not waiting for anything stands still
/// from the moment at which it last came further or was last claimed; how long the longest did is what counts.
/// </summary>
internal sealed class StallWatch(string connectionString, WorkingTime time)
{
    private readonly Dictionary<Guid, (string Sign, TimeSpan Since)> seen = [];

    public TimeSpan Longest { get; private set; }

    public string LongestOf { get; private set; } = "";

    /// <summary>How many instances are live.</summary>
    public int Live { get; private set; }

    public async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await LookAsync(cancel);
            }
            catch (Exception e) when (e is NpgsqlException or IOException)
            {
                // It restarts; the clock goes on.
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(250, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LookAsync(CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand("""
            SELECT id, lease_token IS NOT NULL OR ready_at <= clock_timestamp(),
                   format('lease %s, worker %s, claims %s, ready %s, execution %s', lease_token, worker, claims,
                          CASE WHEN lease_token IS NULL THEN ready_at END,
                          (SELECT max(ordinal) FROM millrace.node_execution WHERE bucket = work.bucket AND instance_id = work.id))
            FROM millrace.work
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var live = new HashSet<Guid>();
        while (await reader.ReadAsync(cancel))
        {
            live.Add(reader.GetGuid(0));
            Look(reader.GetGuid(0), isDue: reader.GetBoolean(1), reader.GetString(2));
        }

        foreach (var ended in seen.Keys.Where(id => !live.Contains(id)).ToList())
            seen.Remove(ended);
        Live = live.Count;
    }

    private void Look(Guid id, bool isDue, string sign)
    {
        if (!isDue)
        {
            seen.Remove(id);
        }
        else if (!seen.TryGetValue(id, out var before) || before.Sign != sign)
        {
            seen[id] = (sign, time.Elapsed);
        }
        else if (time.Elapsed - before.Since is var stall && stall > Longest)
        {
            (Longest, LongestOf) = (stall, $"instance {id}, {DateTimeOffset.UtcNow:HH:mm:ss}: {sign}");
        }
    }
}
