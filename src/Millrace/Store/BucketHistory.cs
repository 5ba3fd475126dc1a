using Microsoft.Extensions.Options;
using Millrace.Configuration;

namespace Millrace.Store;

/// <summary>
/// Remembers how many buckets there were. A key's bucket is its hash modulo that number, so when the number has grown,
/// keys that are still remembered must also be looked for where the smaller number had put them.
/// </summary>
internal sealed class BucketHistory(Database database, IOptions<MillraceOptions> options)
{
    private List<int>? earlier;

    /// <summary>The holders of keys in the buckets that they had before the number grew.</summary>
    public async Task<Dictionary<(Guid, string), KeyHolder>> EarlierHoldersAsync(IReadOnlyList<StartRequest> requests, CancellationToken cancel)
    {
        var holders = new Dictionary<(Guid, string), KeyHolder>();
        foreach (var count in earlier ??= await LoadAsync(cancel))
        {
            var moved = requests.Where(request =>
                StartStore.BucketOfKey(request, count) != StartStore.BucketOfKey(request, database.Buckets));
            foreach (var group in moved.GroupBy(request => StartStore.BucketOfKey(request, count)))
                await KeyHolders.AddAsync(database.Source, group.Key, [.. group], holders, cancel);
        }

        return holders;
    }

    // A smaller number matters for as long after its end as keys are remembered.
    private async Task<List<int>> LoadAsync(CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT buckets
            FROM (SELECT buckets, lead(since) OVER (ORDER BY buckets) AS until FROM millrace.bucket_count) AS period
            WHERE until > now() - $1::interval
            """);
        command.Parameters.Add(Columns.Value(options.Value.Store.IdempotencyWindow));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var counts = new List<int>();
        while (await reader.ReadAsync(cancel))
            counts.Add(reader.GetInt32(0));
        return counts;
    }
}
