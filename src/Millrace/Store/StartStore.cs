using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Pump;
using Npgsql;

namespace Millrace.Store;

/// <summary>Stores starts, many at a time.</summary>
public sealed class StartStore : IAsyncDisposable
{
    // A batch is one long statement: more of them at once would take the pool from everybody else.
    private const int BatchesAtOnce = 2;
    private const short NoKey = -1;
    private static readonly TimeSpan BatchPatience = TimeSpan.FromSeconds(10);

    private readonly Database database;
    private readonly PumpSignal signal;
    private readonly StartResolver resolver;
    private readonly BucketHistory history;
    private readonly KeyedStarts keyed;
    private readonly Batcher<StartRequest, StartOutcome> batcher;
    private readonly StoreClock clock;
    private readonly StorePatience patience;
    private readonly SemaphoreSlim batches = new(BatchesAtOnce);
    private int rotation;

    internal StartStore(
        Database database, PumpSignal signal, BucketHistory history, StoreClock clock, StorePatience patience, IOptions<MillraceOptions> options)
    {
        (this.database, this.signal, this.history, this.clock, this.patience) = (database, signal, history, clock, patience);
        (resolver, keyed) = (new(database), new(database, signal, history, clock, options));
        var store = options.Value.Store;
        batcher = Batcher<StartRequest, StartOutcome>.ItemByItem(
            new(store.StartBatch, store.StartQueue, Flushers: 2) { SideBySide = 128 }, request => request.Bytes, FlushAsync);
    }

    /// <summary>Stores one start, together with others that come at the same time.</summary>
    /// <exception cref="StoreBusyException">Too many starts are waiting already.</exception>
    public Task<StartOutcome> StartAsync(StartRequest request) => batcher.AddAsync(request);

    /// <summary>Stores starts, all or none of them: the first outcome that is no acceptance means that none is stored.</summary>
    /// <param name="requests">The starts; keys of their own are not looked at.</param>
    /// <param name="key">The key under which this batch is stored once only; null for none.</param>
    /// <param name="cancel">Gives up; it may have been stored nevertheless.</param>
    /// <exception cref="StoreBusyException">Too many batches are waiting already.</exception>
    public async Task<IReadOnlyList<StartOutcome>> StartAllAsync(IReadOnlyList<StartRequest> requests, StartKey? key, CancellationToken cancel)
    {
        if (!await batches.WaitAsync(BatchPatience, cancel))
            throw new StoreBusyException();
        try
        {
            return await StoreAllAsync(requests, key, cancel);
        }
        finally
        {
            batches.Release();
        }
    }

    // One bucket, hence one transaction, for all.
    private async Task<IReadOnlyList<StartOutcome>> StoreAllAsync(IReadOnlyList<StartRequest> requests, StartKey? key, CancellationToken cancel)
    {
        var spell = patience.Begin();
        var resolved = await spell.RideOutAsync((_, token) => resolver.ResolveAsync(requests, token), cancel);
        if (resolved.Any(start => start is null))
            return [.. resolved.Select(start => start is null ? (StartOutcome)new StartUnknownWorkflow() : new StartAccepted(default, false))];
        if (key is null)
            return await StoreAsync(NextBucket(), resolved!, spell, cancel);
        var rule = await spell.RideOutAsync((_, token) => history.RuleAsync(token).AsTask(), cancel);
        return await keyed.StoreBatchAsync(rule, key, resolved!, spell, cancel);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await batcher.DisposeAsync();
        batches.Dispose();
    }

    private async Task<IReadOnlyList<Written<StartOutcome>>> FlushAsync(IReadOnlyList<StartRequest> requests)
    {
        var spell = patience.Begin();
        var resolved = await spell.RideOutAsync((_, token) => resolver.ResolveAsync(requests, token), CancellationToken.None);
        var rule = requests.Any(request => request.IdempotencyKey is not null)
            ? await spell.RideOutAsync((_, token) => history.RuleAsync(token).AsTask(), CancellationToken.None)
            : null;
        var known = resolved.OfType<ResolvedStart>().ToList();
        var written = await Transactions.WriteAsync(
            known,
            start => start.Request.IdempotencyKey is null ? NoKey : rule!.BucketOf(StartKey.Of(start.Request)),
            (bucket, starts) => bucket == NoKey ? StoreUnkeyedAsync(starts, spell) : keyed.StoreAsync(rule!, bucket, starts, spell));

        var next = 0;
        return [.. resolved.Select(start => start is null ? new(new StartUnknownWorkflow()) : written[next++])];
    }

    private async Task<IReadOnlyList<Written<StartOutcome>>> StoreUnkeyedAsync(IReadOnlyList<ResolvedStart> starts, PatientSpell spell) =>
        [.. (await StoreAsync(NextBucket(), starts, spell, CancellationToken.None)).Select(outcome => new Written<StartOutcome>(outcome))];

    private async Task<IReadOnlyList<StartOutcome>> StoreAsync(
        short bucket, IReadOnlyList<ResolvedStart> starts, PatientSpell spell, CancellationToken cancel)
    {
        var ids = StartStatement.Ids(bucket, starts.Count, clock);
        await spell.RideOutAsync((before, token) => InsertAsync(bucket, ids, starts, isRepeated: before > 0, token), cancel);
        FaultPoint.Pass(FaultPoint.StartStored);
        signal.Wake(bucket, newlyReady: starts.Count);
        return [.. ids.Select(id => new StartAccepted(id, Repeated: false))];
    }

    // Whether a statement whose answer was lost has been committed shows when it is sent again: then its ids are taken.
    private async Task<int> InsertAsync(short bucket, Guid[] ids, IReadOnlyList<ResolvedStart> starts, bool isRepeated, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.Start);
        StartStatement.AddColumns(command.Parameters, bucket, ids, starts);
        try
        {
            return await command.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException e) when (isRepeated && e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return starts.Count;
        }
    }

    private short NextBucket() => (short)((uint)Interlocked.Increment(ref rotation) % (uint)database.Buckets);
}
