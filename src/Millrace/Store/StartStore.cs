using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Pump;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Stores starts, many at a time.</summary>
public sealed class StartStore : IAsyncDisposable
{
    // A batch is one long statement: more of them at once would take the pool from everybody else.
    private const int BatchesAtOnce = 2;
    private static readonly TimeSpan BatchPatience = TimeSpan.FromSeconds(10);

    private readonly Database database;
    private readonly PumpSignal signal;
    private readonly StartResolver resolver;
    private readonly BucketHistory buckets;
    private readonly TimeSpan idempotencyWindow;
    private readonly Batcher<StartRequest, StartOutcome> batcher;
    private readonly StoreClock clock;
    private readonly StorePatience patience;
    private readonly SemaphoreSlim batches = new(BatchesAtOnce);
    private int rotation;

    internal StartStore(
        Database database, PumpSignal signal, BucketHistory buckets, StoreClock clock, StorePatience patience, IOptions<MillraceOptions> options)
    {
        (this.database, this.signal, this.buckets, this.clock, this.patience) = (database, signal, buckets, clock, patience);
        resolver = new(database);
        var store = options.Value.Store;
        idempotencyWindow = store.IdempotencyWindow;
        batcher = new(new(store.StartBatch, store.StartQueue, Flushers: 2) { SideBySide = 128 }, request => request.Bytes, FlushAsync);
    }

    /// <summary>Stores one start, together with others that come at the same time.</summary>
    /// <exception cref="StoreBusyException">Too many starts are waiting already.</exception>
    public Task<StartOutcome> StartAsync(StartRequest request) => batcher.AddAsync(request);

    /// <summary>Stores starts, all or none of them: the first outcome that is no acceptance means that none is stored.</summary>
    /// <exception cref="StoreBusyException">Too many batches are waiting already.</exception>
    public async Task<IReadOnlyList<StartOutcome>> StartAllAsync(IReadOnlyList<StartRequest> requests, CancellationToken cancel)
    {
        if (!await batches.WaitAsync(BatchPatience, cancel))
            throw new StoreBusyException();
        try
        {
            return await StoreAllAsync(requests, cancel);
        }
        finally
        {
            batches.Release();
        }
    }

    private async Task<IReadOnlyList<StartOutcome>> StoreAllAsync(IReadOnlyList<StartRequest> requests, CancellationToken cancel)
    {
        var resolved = await patience.RideOutAsync(token => resolver.ResolveAsync(requests, token), cancel);
        if (resolved.Any(start => start is null))
            return [.. resolved.Select(start => start is null ? (StartOutcome)new StartUnknownWorkflow() : new StartAccepted(default, false))];

        // One bucket, hence one transaction, for all: that of the first key, where there are keys.
        var key = requests.FirstOrDefault(request => request.IdempotencyKey is not null);
        var bucket = key is null ? NextBucket() : BucketOfKey(key, database.Buckets);
        return key is null
            ? await StoreAsync(bucket, resolved!, cancel)
            : await StoreKeyedAsync(bucket, requests, resolved!, cancel);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await batcher.DisposeAsync();
        batches.Dispose();
    }

    private async Task<IReadOnlyList<StartOutcome>> FlushAsync(IReadOnlyList<StartRequest> requests)
    {
        var resolved = await patience.RideOutAsync(token => resolver.ResolveAsync(requests, token), CancellationToken.None);
        var outcomes = new StartOutcome[requests.Count];
        var unkeyed = new List<int>();
        var keyed = new Dictionary<short, List<int>>();
        for (var i = 0; i < requests.Count; i++)
        {
            if (resolved[i] is null)
                outcomes[i] = new StartUnknownWorkflow();
            else if (requests[i].IdempotencyKey is null)
                unkeyed.Add(i);
            else
                (keyed.TryGetValue(BucketOfKey(requests[i], database.Buckets), out var list) ? list : keyed[BucketOfKey(requests[i], database.Buckets)] = []).Add(i);
        }

        if (unkeyed.Count > 0)
            Spread(unkeyed, await StoreAsync(NextBucket(), [.. unkeyed.Select(i => resolved[i]!)], CancellationToken.None));
        foreach (var (bucket, list) in keyed)
        {
            Spread(list, await StoreKeyedAsync(
                bucket, [.. list.Select(i => requests[i])], [.. list.Select(i => resolved[i]!)], CancellationToken.None));
        }

        return outcomes;

        void Spread(List<int> places, IReadOnlyList<StartOutcome> results)
        {
            for (var i = 0; i < places.Count; i++)
                outcomes[places[i]] = results[i];
        }
    }

    private async Task<IReadOnlyList<StartOutcome>> StoreAsync(short bucket, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        var ids = Ids(bucket, starts.Count);
        await patience.RideOutAsync((before, token) => InsertAsync(bucket, ids, starts, isRepeated: before > 0, token), cancel);
        FaultPoint.Pass(FaultPoint.StartStored);
        signal.Wake(bucket, newlyReady: starts.Count);
        return [.. ids.Select(id => new StartAccepted(id, Repeated: false))];
    }

    // Whether a statement whose answer was lost has been committed shows when it is sent again: then its ids are taken.
    private async Task<int> InsertAsync(short bucket, Guid[] ids, IReadOnlyList<ResolvedStart> starts, bool isRepeated, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.Start);
        AddColumns(command.Parameters, bucket, ids, starts);
        try
        {
            return await command.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException e) when (isRepeated && e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return starts.Count;
        }
    }

    private async Task<IReadOnlyList<StartOutcome>> StoreKeyedAsync(
        short bucket, IReadOnlyList<StartRequest> requests, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        // A key may have been used while there were fewer buckets, in another bucket than today's.
        var holders = await buckets.EarlierHoldersAsync(requests, cancel);
        var asked = Distinct(requests).Where(i => !holders.ContainsKey(KeyOf(requests[i]))).ToList();
        var ids = Ids(bucket, asked.Count);
        // Sent again after a lost answer, it finds its keys held by its own ids, which is as good as letting them in.
        var accepted = asked.Count == 0 ? [] : await patience.RideOutAsync(
            token => InsertKeyedAsync(bucket, ids, asked, requests, starts, token), cancel);
        FaultPoint.Pass(FaultPoint.StartStored);
        if (accepted.Count > 0)
            signal.Wake(bucket, newlyReady: accepted.Count);

        var own = new Dictionary<int, Guid>();
        for (var i = 0; i < asked.Count; i++)
        {
            if (accepted.Contains(ids[i]))
                own[asked[i]] = ids[i];
        }

        if (own.Count < requests.Count)
            await KeyHolders.AddAsync(database.Source, bucket, requests, holders, cancel);
        return [.. requests.Select((request, i) => Outcome(request, own.TryGetValue(i, out var id) ? id : null, holders))];
    }

    private async Task<HashSet<Guid>> InsertKeyedAsync(
        short bucket, Guid[] ids, List<int> asked, IReadOnlyList<StartRequest> requests, IReadOnlyList<ResolvedStart> starts, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.StartKeyed);
        AddColumns(command.Parameters, bucket, ids, [.. asked.Select(i => starts[i])]);
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Text, i => requests[i].IdempotencyKey!));
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Bytea, i => requests[i].Fingerprint));
        command.Parameters.Add(Columns.Value(idempotencyWindow));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var accepted = new HashSet<Guid>();
        while (await reader.ReadAsync(cancel))
            accepted.Add(reader.GetGuid(0));
        return accepted;
    }

    private static StartOutcome Outcome(StartRequest request, Guid? own, Dictionary<(Guid, string), KeyHolder> holders)
    {
        if (own is { } id)
            return new StartAccepted(id, Repeated: false);
        // Nobody holds the key any more if it expired between the two statements; the caller may simply try again.
        if (!holders.TryGetValue(KeyOf(request), out var holder))
            throw new StoreBusyException();
        return holder.Fingerprint.AsSpan().SequenceEqual(request.Fingerprint)
            ? new StartAccepted(holder.Instance, Repeated: true)
            : new StartKeyReused();
    }

    // Within one statement a key may stand once; a second request under it finds the first one's row.
    private static List<int> Distinct(IReadOnlyList<StartRequest> requests)
    {
        var seen = new HashSet<(Guid, string)>();
        return [.. Enumerable.Range(0, requests.Count).Where(i => seen.Add(KeyOf(requests[i])))];
    }

    private static (Guid Organisation, string Key) KeyOf(StartRequest request) => (request.Organisation, request.IdempotencyKey!);

    internal static short BucketOfKey(StartRequest request, int buckets)
    {
        // Items of a batch share the part before the separator, and with it the bucket.
        var key = request.IdempotencyKey!.Split(BatchSeparator)[0];
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{request.Organisation:N}{key}"));
        return (short)(BinaryPrimitives.ReadUInt32BigEndian(hash) % (uint)buckets);
    }

    /// <summary>Parts a batch's key from an item's place; no header can contain it.</summary>
    public const char BatchSeparator = '\u001F';

    private short NextBucket() => (short)((uint)Interlocked.Increment(ref rotation) % (uint)database.Buckets);

    private Guid[] Ids(short bucket, int count)
    {
        var ids = new Guid[count];
        for (var i = 0; i < count; i++)
            ids[i] = InstanceId.New(bucket, clock.Now);
        return ids;
    }

    private static void AddColumns(NpgsqlParameterCollection parameters, short bucket, Guid[] ids, IReadOnlyList<ResolvedStart> starts)
    {
        parameters.Add(Columns.Value(bucket));
        parameters.Add(Columns.Value(ids));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Uuid, start => start.Request.Organisation));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Bytea, start => start.DefinitionHash));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Text, start => start.Request.Workflow));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Integer, start => start.Version));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Text, start => start.Request.Label));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Smallint, start => start.Request.Priority));
        parameters.Add(Columns.JsonArray(starts, start => start.Request.Input));
        parameters.Add(Columns.JsonArray(starts, start => start.Variables));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.TimestampTz, start => start.Request.RunAt?.UtcDateTime));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Interval, start => start.Request.Delay));
    }
}
