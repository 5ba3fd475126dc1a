using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Pump;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Stores starts under idempotency keys: the key's row decides, in the transaction that stores the instances.</summary>
internal sealed class KeyedStarts(Database database, PumpSignal signal, BucketHistory history, StoreClock clock, IOptions<MillraceOptions> options)
{
    private readonly TimeSpan window = options.Value.Store.IdempotencyWindow;

    /// <summary>Stores starts of one bucket, each under a key of its own, and says of each what became of it.</summary>
    public async Task<IReadOnlyList<Written<StartOutcome>>> StoreAsync(KeyRule rule, short bucket, IReadOnlyList<ResolvedStart> starts, PatientSpell patience)
    {
        List<StartKey> keys = [.. starts.Select(start => StartKey.Of(start.Request))];
        var holders = await patience.RideOutAsync((_, token) => history.EarlierHoldersAsync(rule, keys, token), CancellationToken.None);
        var asked = Distinct(keys).Where(i => !holders.ContainsKey(keys[i].Name)).ToList();
        var ids = StartStatement.Ids(bucket, asked.Count, clock);
        // Sent again after a lost answer, it finds its keys held by its own ids, which is as good as letting them in.
        var accepted = asked.Count == 0 ? [] : await patience.RideOutAsync(
            (_, token) => InsertAsync(rule, bucket, ids, [.. asked.Select(i => keys[i])], [.. asked.Select(i => starts[i])], token), CancellationToken.None);
        FaultPoint.Pass(FaultPoint.StartStored);
        if (accepted.Count > 0)
            signal.Wake(bucket, newlyReady: accepted.Count);

        var own = new Dictionary<int, Guid>();
        for (var i = 0; i < asked.Count; i++)
        {
            if (accepted.Contains(ids[i]))
                own[asked[i]] = ids[i];
        }

        if (own.Count < starts.Count)
            await patience.RideOutAsync((_, token) => AddHoldersAsync(bucket, keys, holders, token), CancellationToken.None);
        if (asked.Count(i => !own.ContainsKey(i) && holders.TryGetValue(keys[i].Name, out var holder) && ids.Contains(holder.Instance)) is > 0 and var late)
            signal.Wake(bucket, newlyReady: late);
        return [.. keys.Select((key, i) => own.TryGetValue(i, out var id) ? new(new StartAccepted(id, Repeated: false)) : Held(key, holders))];
    }

    /// <summary>Stores a batch under one key: all of it, or nothing where the key is another request's.</summary>
    public async Task<IReadOnlyList<StartOutcome>> StoreBatchAsync(
        KeyRule rule, StartKey key, IReadOnlyList<ResolvedStart> starts, PatientSpell patience, CancellationToken cancel)
    {
        var bucket = rule.BucketOf(key);
        if (rule.Earlier.Count > 0 && await patience.RideOutAsync((_, token) => EarlierAsync(rule, key, starts, token), cancel) is { } earlier)
            return earlier;
        var ids = StartStatement.Ids(bucket, starts.Count, clock);
        var accepted = await patience.RideOutAsync((_, token) => InsertBatchAsync(rule, bucket, ids, key, starts, token), cancel);
        FaultPoint.Pass(FaultPoint.StartStored);
        if (!accepted)
        {
            // Nobody holds the key any more if it expired between the two statements; the caller may simply try again.
            var held = await patience.RideOutAsync((_, token) => HeldBatchAsync(bucket, key, starts, token), cancel) ?? throw new StoreBusyException();
            if (held[0] is StartAccepted { Id: var first } && first == ids[0])
                signal.Wake(bucket, newlyReady: starts.Count);
            return held;
        }

        signal.Wake(bucket, newlyReady: starts.Count);
        return [.. ids.Select(id => new StartAccepted(id, Repeated: false))];
    }

    private async Task<HashSet<Guid>> InsertAsync(
        KeyRule rule, short bucket, Guid[] ids, IReadOnlyList<StartKey> keys, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.StartKeyed);
        StartStatement.AddColumns(command.Parameters, bucket, ids, starts);
        command.Parameters.Add(Columns.Array(keys, NpgsqlDbType.Text, key => key.Key));
        command.Parameters.Add(Columns.Array(keys, NpgsqlDbType.Bytea, key => key.Fingerprint));
        command.Parameters.Add(Columns.Value(window));
        command.Parameters.Add(Columns.Value(rule.Until.UtcDateTime));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var accepted = new HashSet<Guid>();
        while (await reader.ReadAsync(cancel))
            accepted.Add(reader.GetGuid(0));
        return accepted;
    }

    private async Task<bool> InsertBatchAsync(
        KeyRule rule, short bucket, Guid[] ids, StartKey key, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.StartBatch);
        StartStatement.AddColumns(command.Parameters, bucket, ids, starts);
        command.Parameters.Add(Columns.Value(key.Key));
        command.Parameters.Add(Columns.Value(key.Fingerprint));
        command.Parameters.Add(Columns.Value(window));
        command.Parameters.Add(Columns.Value(rule.Until.UtcDateTime));
        return await command.ExecuteScalarAsync(cancel) is not null;
    }

    private async Task<int> AddHoldersAsync(short bucket, IReadOnlyList<StartKey> keys, Dictionary<(Guid, string), KeyHolder> holders, CancellationToken cancel)
    {
        await KeyHolders.AddAsync(database.Source, bucket, keys, holders, cancel);
        return holders.Count;
    }

    // What a batch's key has become in the buckets that it had before; null where nobody holds it there.
    private async Task<IReadOnlyList<StartOutcome>?> EarlierAsync(KeyRule rule, StartKey key, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        var holders = await history.EarlierHoldersAsync(rule, [key], cancel);
        if (holders.TryGetValue(key.Name, out var holder))
            return Repeated(holder, key, starts);
        foreach (var (count, _) in rule.Earlier)
        {
            if (await ItemsAsync(key.BucketAmong(count), key, starts, cancel) is { } outcome)
                return outcome;
        }

        return null;
    }

    private async Task<IReadOnlyList<StartOutcome>?> HeldBatchAsync(short bucket, StartKey key, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        var holders = new Dictionary<(Guid, string), KeyHolder>();
        await KeyHolders.AddAsync(database.Source, bucket, [key], holders, cancel);
        return holders.TryGetValue(key.Name, out var holder) ? Repeated(holder, key, starts) : await ItemsAsync(bucket, key, starts, cancel);
    }

    // A batch that an earlier version has stored is the same one if all of its items are.
    private async Task<IReadOnlyList<StartOutcome>?> ItemsAsync(short bucket, StartKey key, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        var items = await KeyHolders.ItemsAsync(database.Source, bucket, key, cancel);
        if (items.Count == 0)
            return null;
        var isSame = items.Count == starts.Count && starts.Select((start, i) => items.TryGetValue(i, out var item) && item.IsFor(start.Request.Fingerprint)).All(same => same);
        return isSame ? [.. items.Values.Select(item => new StartAccepted(item.Instance, Repeated: true))] : Reused(starts);
    }

    private static IReadOnlyList<StartOutcome> Repeated(KeyHolder holder, StartKey key, IReadOnlyList<ResolvedStart> starts) =>
        holder.IsFor(key.Fingerprint) && holder.Batch is { } ids ? [.. ids.Select(id => new StartAccepted(id, Repeated: true))] : Reused(starts);

    private static IReadOnlyList<StartOutcome> Reused(IReadOnlyList<ResolvedStart> starts) => [.. starts.Select(_ => new StartKeyReused())];

    // Nobody holds the key any more if it expired between the two statements; the caller may simply try again.
    private static Written<StartOutcome> Held(StartKey key, Dictionary<(Guid, string), KeyHolder> holders)
    {
        if (!holders.TryGetValue(key.Name, out var holder))
            return new(null, new StoreBusyException());
        return new(holder.IsFor(key.Fingerprint) ? new StartAccepted(holder.Instance, Repeated: true) : new StartKeyReused());
    }

    // Within one statement a key may stand once; a second request under it finds the first one's row.
    private static List<int> Distinct(List<StartKey> keys)
    {
        var seen = new HashSet<(Guid, string)>();
        return [.. Enumerable.Range(0, keys.Count).Where(i => seen.Add(keys[i].Name))];
    }
}
