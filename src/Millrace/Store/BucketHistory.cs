using Microsoft.Extensions.Options;
using Millrace.Configuration;

namespace Millrace.Store;

/// <summary>Where keys are placed now.</summary>
/// <param name="Buckets">A key's bucket is its hash modulo this number.</param>
/// <param name="Until">When a greater number takes over; far away where there is none.</param>
/// <param name="Earlier">Smaller numbers whose keys are still remembered, with the time until which they placed keys.</param>
internal sealed record KeyRule(int Buckets, DateTimeOffset Until, IReadOnlyList<(int Buckets, DateTimeOffset Until)> Earlier)
{
    public short BucketOf(StartKey key) => key.BucketAmong(Buckets);
}

/// <summary>
/// Remembers how many buckets there were, and says by which number keys are placed. One transaction can decide about a key
/// only within one bucket, so at any time all processes must place a key in the same one, also while those of two settings
/// run side by side:
/// <list type="number">
/// <item>A number that has grown places keys only a day later. Until then the old one does, which processes of both
/// settings use; that is the time that a deployment may take.</item>
/// <item>Processes that do not know yet learn of it within a minute, and so long before that day is over.</item>
/// <item>Whoever places a key in its new bucket first closes it in the old one (<c>key_close.sql</c>): a start that is under
/// way there has been committed, and is found, or it finds the key closed; no later one is let in, because the statement
/// itself compares the store's time with the end of the old number's.</item>
/// <item>That goes on for as long as keys of the old number are remembered.</item>
/// </list>
/// </summary>
internal sealed class BucketHistory(Database database, StoreClock clock, TimeProvider time, IOptions<MillraceOptions> options)
{
    /// <summary>How long processes of two settings may run side by side.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromDays(1);

    private static readonly TimeSpan ReadEvery = TimeSpan.FromMinutes(1);
    private readonly TimeSpan window = options.Value.Store.IdempotencyWindow;
    private Known? known;

    /// <summary>Where keys are placed now; asks the store once a minute.</summary>
    public async ValueTask<KeyRule> RuleAsync(CancellationToken cancel)
    {
        if (known is not { } last || time.GetElapsedTime(last.At) > ReadEvery)
            known = last = new(time.GetTimestamp(), await LoadAsync(cancel));
        return Rule(last.Counts, clock.Now, window);
    }

    internal static KeyRule Rule(IReadOnlyList<(int Buckets, DateTimeOffset From)> counts, DateTimeOffset now, TimeSpan window)
    {
        var current = counts.Count - 1;
        while (current > 0 && counts[current].From > now)
            current--;
        var until = current + 1 < counts.Count ? counts[current + 1].From : DateTimeOffset.MaxValue;
        return new(
            counts[current].Buckets,
            until,
            [.. Enumerable.Range(0, current).Select(i => (counts[i].Buckets, Until: counts[i + 1].From)).Where(earlier => now - earlier.Until < window)]);
    }

    /// <summary>The holders of keys in the buckets that they had before the number grew; those that nobody holds are closed there.</summary>
    public async Task<Dictionary<(Guid, string), KeyHolder>> EarlierHoldersAsync(KeyRule rule, IReadOnlyList<StartKey> keys, CancellationToken cancel)
    {
        var holders = new Dictionary<(Guid, string), KeyHolder>();
        foreach (var (count, until) in rule.Earlier)
        {
            var moved = keys.Where(key => key.BucketAmong(count) != rule.BucketOf(key)).DistinctBy(key => key.Name);
            foreach (var group in moved.GroupBy(key => key.BucketAmong(count)))
                await KeyHolders.CloseAsync(database.Source, group.Key, until, [.. group], holders, cancel);
        }

        return holders;
    }

    private async Task<IReadOnlyList<(int, DateTimeOffset)>> LoadAsync(CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("SELECT buckets, coalesce(keys_from, since) FROM millrace.bucket_count ORDER BY buckets");
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var counts = new List<(int, DateTimeOffset)>();
        while (await reader.ReadAsync(cancel))
            counts.Add((reader.GetInt32(0), reader.Time(1)));
        return counts;
    }

    private sealed record Known(long At, IReadOnlyList<(int Buckets, DateTimeOffset From)> Counts);
}
