using System.Collections.Concurrent;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>
/// Finds statements that this process waits for and the server does not execute any more: their connection has died
/// without either end being told. Such a wait would last until the node's time-out. What has lasted for a while is looked
/// up in the server's list of sessions, all of it in one query; nothing is asked while no statement lasts.
/// </summary>
internal sealed class SessionWatch : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Watched, bool> waiting = new();
    private readonly NpgsqlDataSource source;
    private readonly TimeSpan patience;
    private readonly TimeProvider time;
    private readonly ITimer timer;
    private int looking;

    /// <param name="source">Where to ask.</param>
    /// <param name="patience">How long a statement lasts before it is asked about, and between two questions.</param>
    /// <param name="time">The clock.</param>
    public SessionWatch(NpgsqlDataSource source, TimeSpan patience, TimeProvider time)
    {
        (this.source, this.patience, this.time) = (source, patience, time);
        timer = time.CreateTimer(_ => _ = LookAsync(), null, patience, patience);
    }

    /// <summary>Watches a session until it is disposed.</summary>
    /// <param name="session">The session.</param>
    /// <param name="limit">Told when nothing can come from it any more.</param>
    public Watched Watch(NpgsqlConnection session, StatementLimit limit)
    {
        var watched = new Watched(this, session.ProcessID, time.GetTimestamp(), limit);
        waiting[watched] = true;
        return watched;
    }

    public ValueTask DisposeAsync() => timer.DisposeAsync();

    private async Task LookAsync()
    {
        var old = waiting.Keys.Where(watched => time.GetElapsedTime(watched.Since) >= patience).ToList();
        if (old is [] || Interlocked.Exchange(ref looking, 1) == 1)
            return;
        try
        {
            if (await BusyAsync([.. old.Select(watched => watched.ProcessId)]) is not { } busy)
                return;
            foreach (var watched in old)
            {
                // An answer may be on its way: only who is found idle twice is given up.
                watched.Strikes = busy.Contains(watched.ProcessId) ? 0 : watched.Strikes + 1;
                if (watched.Strikes == 2 && waiting.ContainsKey(watched))
                    watched.Lose();
            }
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or TimeoutException)
        {
            // A server that does not answer at all is found out otherwise.
        }
        finally
        {
            Volatile.Write(ref looking, 0);
        }
    }

    // Null where that cannot be known: a proxy in between that hands out sessions under numbers of its own.
    private async Task<HashSet<int>?> BusyAsync(int[] processes)
    {
        await using var session = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("""
            SELECT pg_backend_pid(),
                   ARRAY(SELECT pid FROM pg_catalog.pg_stat_activity
                         WHERE pid = ANY ($1) AND state IN ('active', 'fastpath function call', 'disabled'))
            """, session);
        command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = processes });
        command.CommandTimeout = (int)Math.Ceiling(patience.TotalSeconds);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return reader.GetInt32(0) == session.ProcessID ? [.. reader.GetFieldValue<int[]>(1)] : null;
    }

    /// <summary>A session that is waited for.</summary>
    internal sealed class Watched(SessionWatch watch, int processId, long since, StatementLimit limit) : IDisposable
    {
        public int ProcessId => processId;

        public long Since => since;

        public int Strikes { get; set; }

        public void Lose() => limit.Lose();

        public void Dispose() => watch.waiting.TryRemove(this, out _);
    }
}
