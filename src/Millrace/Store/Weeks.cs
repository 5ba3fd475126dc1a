using System.Collections.Concurrent;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// Runs statements on the partitions of the weeks that ids are of. A week that nobody has made has no partition; its ids are
/// looked for in the whole tables, where there is nothing of them either.
/// </summary>
internal sealed class Weeks(TimeProvider time)
{
    private const int MostMissing = 1000;
    private static readonly TimeSpan MissingFor = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<DateTimeOffset, long> missing = new();

    /// <summary>When the week of an id begins; null where no partition can be.</summary>
    public static DateTimeOffset? Of(Guid id) => InstanceId.TimeOf(id) is { } at ? Partitions.MondayOf(at) : null;

    /// <summary>Asks about one instance.</summary>
    public Task<T> AskAsync<T>(WeekSql sql, Guid id, Func<string, Task<T>> ask) => AskAsync(sql, Of(id), ask);

    /// <summary>Asks about one week.</summary>
    /// <param name="sql">What is asked.</param>
    /// <param name="week">When the week begins; null for the whole tables.</param>
    /// <param name="ask">Runs a text; a second time, on the whole tables, where the week turns out to have no partition.</param>
    public async Task<T> AskAsync<T>(WeekSql sql, DateTimeOffset? week, Func<string, Task<T>> ask)
    {
        if (!IsThere(week))
            return await ask(sql.Whole);
        try
        {
            return await ask(sql.In(week.Value));
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            Miss(week.Value);
        }

        return await ask(sql.Whole);
    }

    /// <summary>
    /// Asks about many instances: a statement for each bucket and week of theirs, all in one round trip. The statement's
    /// parameters are the bucket, the ids and their organisations.
    /// </summary>
    /// <param name="source">Which pool.</param>
    /// <param name="sql">What is asked.</param>
    /// <param name="asked">The instances.</param>
    /// <param name="read">Takes a row; where a week turns out to have no partition, it is given rows a second time.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task AskAsync(
        NpgsqlDataSource source, WeekSql sql, IReadOnlyCollection<(Guid Id, Guid Organisation)> asked, Action<NpgsqlDataReader> read, CancellationToken cancel)
    {
        var groups = asked.GroupBy(item => (Bucket: InstanceId.BucketOf(item.Id), Week: Of(item.Id))).ToList();
        while (groups.Count > 0)
        {
            await using var batch = source.CreateBatch();
            foreach (var group in groups)
                batch.BatchCommands.Add(Command(IsThere(group.Key.Week) ? sql.In(group.Key.Week.Value) : sql.Whole, group.Key.Bucket, [.. group]));
            try
            {
                await using var reader = await batch.ExecuteReaderAsync(cancel);
                do
                {
                    while (await reader.ReadAsync(cancel))
                        read(reader);
                }
                while (await reader.NextResultAsync(cancel));
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable
                && groups.Find(group => group.Key.Week is { } week && e.BatchCommand?.CommandText == sql.In(week)) is { } gone)
            {
                Miss(gone.Key.Week!.Value);
            }
        }
    }

    private static NpgsqlBatchCommand Command(string text, short bucket, IReadOnlyList<(Guid Id, Guid Organisation)> items) => new(text)
    {
        Parameters =
        {
            Columns.Value(bucket),
            Columns.Value(items.Select(item => item.Id).ToArray()),
            Columns.Value(items.Select(item => item.Organisation).ToArray()),
        },
    };

    private bool IsThere([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] DateTimeOffset? week) =>
        week is { } monday && !(missing.TryGetValue(monday, out var since) && time.GetElapsedTime(since) < MissingFor);

    // For a while only: it may be made yet.
    private void Miss(DateTimeOffset week)
    {
        if (missing.Count >= MostMissing)
            missing.Clear();
        missing[week] = time.GetTimestamp();
    }
}
