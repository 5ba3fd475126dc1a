using Microsoft.Extensions.Logging;
using Millrace.Faults;
using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An instance that this process now holds the lease of.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LeaseToken">The proof of the lease: no checkpoint is accepted without it.</param>
/// <param name="Claims">How many workers in a row have claimed it and begun, without parking it, ending it or doing anything, this one included.</param>
/// <param name="StartedAt">When it was first claimed.</param>
/// <param name="Standing">What has been asked of it.</param>
/// <param name="Snapshot">Its state when it last parked; null if it never has.</param>
/// <param name="Organisation">Whose it is.</param>
/// <param name="DefinitionHash">What it follows.</param>
/// <param name="Workflow">The name of the workflow; null for a nameless definition.</param>
/// <param name="Version">The workflow's version; null for a definition that came with the start.</param>
/// <param name="Label">The caller's label.</param>
/// <param name="Priority">How urgent it is.</param>
/// <param name="Input">Its input.</param>
/// <param name="Variables">Its variables.</param>
/// <param name="Membership">As which child; null where nobody waits for it.</param>
/// <param name="Entry">For an item of a spread <c>forEach</c>, that node's path; null for a whole workflow.</param>
/// <param name="Depth">How many parents it has, one above the other.</param>
/// <param name="IsTakenOver">Whether the lease before was not given back, so that the history may go beyond the snapshot.</param>
/// <param name="Fault">Why it was given back last without having come further; null where it was not.</param>
internal sealed record ClaimedInstance(
    Guid Id, long LeaseToken, int Claims, DateTimeOffset StartedAt, Standing Standing, Json? Snapshot,
    Guid Organisation, byte[] DefinitionHash, string? Workflow, int? Version, string? Label, short Priority, Json? Input, Json Variables,
    Membership? Membership, string? Entry, short Depth, bool IsTakenOver, Json? Fault)
{
    /// <summary>About how much memory it takes as it was claimed.</summary>
    public long Bytes => 1024 + (Input?.Utf8.Length ?? 0) + Variables.Utf8.Length + (2L * (Snapshot?.Utf8.Length ?? 0));

    /// <summary>The lease.</summary>
    public Lease Lease => new(Id, Organisation, LeaseToken, StartedAt, Membership);
}

/// <summary>A lease that was renewed.</summary>
/// <param name="Lease">Which.</param>
/// <param name="At">When that was asked for: it cannot have begun anew earlier.</param>
/// <param name="Standing">What has been asked of its instance.</param>
internal readonly record struct Renewed(LeaseKey Lease, LeaseTime At, Standing Standing);

/// <summary>What became of leases that could not be renewed.</summary>
/// <param name="Lost">Those that do not hold any more.</param>
/// <param name="Locked">Those that hold, but somebody keeps their rows locked.</param>
internal sealed record Renewal(IReadOnlyList<LeaseKey> Lost, IReadOnlySet<LeaseKey> Locked);

/// <summary>Claims ready instances and keeps their leases.</summary>
internal sealed class ClaimStore(Database database, LowWater water, StoreClock clock, TimeProvider time, ILogger<ClaimStore> log) : IDisposable
{
    // How long nobody looks again at an instance that cannot be run, because not all of it is there.
    private static readonly TimeSpan WithoutFacts = TimeSpan.FromMinutes(5);

    private const int RenewalTries = 3;
    private static readonly TimeSpan BetweenRenewals = TimeSpan.FromMilliseconds(20);

    // Waiting for a row takes a connection all the while; there are others that want one.
    private readonly SemaphoreSlim waits = new(2);

    // After a worker was lost hundreds begin, each with a commit of its own; renewals must not queue up behind them.
    private readonly SemaphoreSlim begins = new(3);

    /// <summary>Claims up to a number of ready instances of one bucket.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="lease">How long they are held.</param>
    /// <param name="worker">Who claims.</param>
    /// <param name="keptUntil">Until when, by the store's clock, no lease can have run out that the worker keeps: later it claims nothing of its own.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<ClaimedInstance>> ClaimAsync(
        short bucket, int limit, TimeSpan lease, string worker, DateTimeOffset keptUntil, CancellationToken cancel)
    {
        var look = water.Next(bucket);
        IReadOnlyList<LeasedRow> rows;
        try
        {
            rows = await database.Weeks.AskAsync(SqlText.Claim, Partitions.MondayOf(clock.Now), sql => ClaimAsync(sql, look, limit, lease, worker, keptUntil, cancel));
        }
        catch
        {
            water.Failed(look);
            throw;
        }

        return await WithFactsAsync(rows);
    }

    private async Task<IReadOnlyList<LeasedRow>> ClaimAsync(
        string sql, LowWater.Look look, int limit, TimeSpan lease, string worker, DateTimeOffset keptUntil, CancellationToken cancel)
    {
        var asked = time.GetTimestamp();
        await using var command = database.Batches.CreateCommand(sql);
        command.Parameters.Add(Columns.Value(look.Bucket));
        command.Parameters.Add(Columns.Value(limit));
        command.Parameters.Add(Columns.Value(lease));
        command.Parameters.Add(Columns.Value(Random.Shared.NextInt64()));
        command.Parameters.Add(Columns.Value(worker));
        command.Parameters.Add(Columns.Value(look.Begin));
        command.Parameters.Add(Columns.Value(keptUntil));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var rows = new List<LeasedRow>();
        while (await reader.ReadAsync(cancel))
        {
            if (rows.Count == 0)
                clock.Observe(reader.Time(1), asked);
            rows.Add(new(reader));
        }

        if (rows.Count == 0)
        {
            water.FoundNothing(look, time.GetElapsedTime(asked));
            return rows;
        }

        // The first row comes when all have been found and locked, and one has been written.
        var last = rows.MaxBy(row => (row.Priority, row.ReadyAt))!;
        water.Found(look, rows[0].Begun, rows[0].Now - rows[0].Begun, rows.Count, rows.Count < limit ? null : (last.Priority, last.ReadyAt));
        return rows;
    }

    // The instances are this process's already, so this is not given up when it stops, and a fault must not lose those that
    // are complete. What cannot be had at the second try either is left to the end of its lease; what is not there is said.
    private async Task<IReadOnlyList<ClaimedInstance>> WithFactsAsync(IReadOnlyList<LeasedRow> rows)
    {
        var facts = new Dictionary<Guid, ClaimedFacts>();
        var elsewhere = rows.Where(row => row.Facts is null).Select(row => (row.Id, row.Organisation)).ToList();
        var isAnswered = elsewhere.Count == 0;
        for (var attempt = 1; attempt <= 2 && !isAnswered; attempt++)
        {
            try
            {
                await database.Weeks.AskAsync(
                    database.Batches, SqlText.Facts, elsewhere, reader => facts[reader.GetGuid(0)] = new(reader, 0), CancellationToken.None);
                isAnswered = true;
            }
            catch (Exception e) when (StoreFaults.IsPassing(e))
            {
                database.Suspect(e);
            }
        }

        if (isAnswered && facts.Count < elsewhere.Count)
            await GiveBackAsync([.. rows.Where(row => row.Facts is null && !facts.ContainsKey(row.Id)).Select(row => row.Key)]);
        return [.. rows.Select(row => (row.Facts ?? facts.GetValueOrDefault(row.Id)) is { } known ? row.With(known) : null).OfType<ClaimedInstance>()];
    }

    private async Task GiveBackAsync(IReadOnlyList<LeaseKey> incomplete)
    {
        foreach (var key in incomplete)
        {
            log.FactsMissing(key.Instance, WithoutFacts);
            try
            {
                await ReleaseAsync(key, WithoutFacts, null);
            }
            catch (Exception e) when (StoreFaults.IsPassing(e))
            {
                database.Suspect(e);
            }
        }
    }

    /// <summary>
    /// Renews leases of one bucket. Rows that somebody has locked keep no others waiting: first everything that is free is
    /// renewed, then what is left is waited for, a quarter of the lease at most, with nothing else locked meanwhile.
    /// </summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="leases">Which.</param>
    /// <param name="lease">For how long.</param>
    /// <param name="renewed">Told of each one as soon as it is renewed: what comes after may fail.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<Renewal> RenewAsync(short bucket, IReadOnlyList<LeaseKey> leases, TimeSpan lease, Action<Renewed> renewed, CancellationToken cancel)
    {
        var lost = new List<LeaseKey>();
        IReadOnlyCollection<LeaseKey> left = leases;
        var begun = time.GetTimestamp();
        // Where commits are slow each try is a long one, and there must be time left to wait.
        for (var tries = 1; left.Count > 0 && tries <= RenewalTries && (tries == 1 || time.GetElapsedTime(begun) < lease / 10); tries++)
        {
            // Mostly a checkpoint of this process that is under way.
            if (tries > 1)
                await Task.Delay(BetweenRenewals * tries, time, cancel);
            left = await RenewAsync(bucket, left, lease, null, renewed, lost, cancel);
        }

        // A row that is always locked, by one checkpoint after the other, is never free to whoever only passes by.
        begun = time.GetTimestamp();
        foreach (var awaited in left.Shuffle())
        {
            if (!left.Contains(awaited) || time.GetElapsedTime(begun) >= lease / 4)
                continue;
            await waits.WaitAsync(cancel);
            try
            {
                left = await RenewAsync(bucket, left, lease, awaited, renewed, lost, cancel);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable)
            {
                // Others may be free for all that.
            }
            finally
            {
                waits.Release();
            }
        }

        return new(lost, left.ToHashSet());
    }

    // Renews those that are free, after one has become so; those that hold and could not be renewed are left. Whoever has
    // waited for one row holds no other, and takes the rest as it stands then: what one commit had locked is free together.
    private async Task<IReadOnlyCollection<LeaseKey>> RenewAsync(
        short bucket, IReadOnlyCollection<LeaseKey> leases, TimeSpan lease, LeaseKey? awaited, Action<Renewed> renewed, List<LeaseKey> lost, CancellationToken cancel)
    {
        var sent = clock.Moment;
        var found = new List<Renewed>();
        await using (var batch = database.Batches.CreateBatch())
        {
            if (awaited is { } key)
            {
                batch.BatchCommands.Add(new("SELECT set_config('lock_timeout', $1, true)") { Parameters = { Columns.Value($"{(long)Math.Max(1, (lease / 10).TotalMilliseconds)}") } });
                batch.BatchCommands.Add(new(SqlText.AwaitRow) { Parameters = { Columns.Value(bucket), Columns.Value(key.Instance), Columns.Value(key.Token) } });
            }

            var renew = new NpgsqlBatchCommand(SqlText.Renew);
            AddLeases(renew.Parameters, bucket, leases);
            renew.Parameters.Add(Columns.Value(lease));
            batch.BatchCommands.Add(renew);
            await using var reader = await batch.ExecuteReaderAsync(cancel);
            for (var before = batch.BatchCommands.Count - 1; before > 0; before--)
                await reader.NextResultAsync(cancel);
            while (await reader.ReadAsync(cancel))
                found.Add(new(new(reader.GetGuid(0), reader.GetInt64(1)), sent, ReadStanding(reader, 2)));
        }

        // Only now has it been committed. The lease began when its transaction did, which had the row to wait for.
        foreach (var one in found)
            renewed(one);
        var rest = leases.Except(found.Select(static one => one.Lease)).ToList();
        if (rest.Count == 0)
            return rest;
        var held = await HeldAsync(bucket, rest, cancel);
        lost.AddRange(rest.Except(held));
        return held.ToHashSet();
    }

    private async Task<IReadOnlyList<LeaseKey>> HeldAsync(short bucket, IReadOnlyList<LeaseKey> leases, CancellationToken cancel)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Held);
        AddLeases(command.Parameters, bucket, leases);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var held = new List<LeaseKey>();
        while (await reader.ReadAsync(cancel))
            held.Add(new(reader.GetGuid(0), reader.GetInt64(1)));
        return held;
    }

    private static void AddLeases(NpgsqlParameterCollection parameters, short bucket, IReadOnlyCollection<LeaseKey> leases)
    {
        parameters.Add(Columns.Value(bucket));
        parameters.Add(Columns.Value(leases.Select(held => held.Instance).ToArray()));
        parameters.Add(Columns.Value(leases.Select(held => held.Token).ToArray()));
    }

    /// <summary>What has been asked of an instance; null where its lease is lost.</summary>
    public async Task<Standing?> StandingAsync(Lease lease, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("""
            SELECT cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests
            FROM millrace.work
            WHERE bucket = $1 AND id = $2 AND lease_token = $3
            """);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(lease.Instance)));
        command.Parameters.Add(Columns.Value(lease.Instance));
        command.Parameters.Add(Columns.Value(lease.Token));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? ReadStanding(reader, 0) : null;
    }

    /// <summary>Says that a worker whose leases were taken over lives: the takeovers do not count against the instances.</summary>
    public async Task SurvivedAsync(short bucket, IReadOnlyList<Guid> instances, string worker, CancellationToken cancel)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Survived);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(instances.Order().ToArray()));
        command.Parameters.Add(Columns.Value(worker));
        await command.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Notes that an instance which was taken over begins to run; true if the lease holds.</summary>
    public async Task<bool> BeginAsync(LeaseKey lease, CancellationToken cancel)
    {
        await begins.WaitAsync(cancel);
        try
        {
            return await BeginOneAsync(lease, cancel);
        }
        finally
        {
            begins.Release();
        }
    }

    private async Task<bool> BeginOneAsync(LeaseKey lease, CancellationToken cancel)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Begin);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(lease.Instance)));
        command.Parameters.Add(Columns.Value(lease.Instance));
        command.Parameters.Add(Columns.Value(lease.Token));
        return await command.ExecuteScalarAsync(cancel) is Guid;
    }

    /// <summary>Gives an instance back as it stands; true if the lease held.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="pause">How long nobody is to claim it.</param>
    /// <param name="fault">Why, where it could not be run; null where the process only stops.</param>
    public async Task<bool> ReleaseAsync(LeaseKey lease, TimeSpan pause, Json? fault)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Release);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(lease.Instance)));
        command.Parameters.Add(Columns.Value(lease.Instance));
        command.Parameters.Add(Columns.Value(lease.Token));
        command.Parameters.Add(Columns.Value(pause));
        command.Parameters.Add(Columns.Json(fault));
        return await command.ExecuteScalarAsync() is Guid;
    }

    public void Dispose()
    {
        waits.Dispose();
        begins.Dispose();
    }

    /// <summary>Reads the six columns that tell what has been asked of an instance.</summary>
    internal static Standing ReadStanding(NpgsqlDataReader reader, int at) =>
        new(reader.GetBoolean(at), reader.TextOrNull(at + 1), reader.GetBoolean(at + 2), reader.GetInt64(at + 3), reader.GetInt64(at + 4), reader.GetInt64(at + 5));
}
