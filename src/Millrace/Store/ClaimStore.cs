using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An instance that this process now holds the lease of.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LeaseToken">The proof of the lease: no checkpoint is accepted without it.</param>
/// <param name="Claims">How many workers in a row have claimed it without parking it, ending it or doing anything, this one included.</param>
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

/// <summary>Claims ready instances and keeps their leases.</summary>
internal sealed class ClaimStore(Database database, StoreClock clock, TimeProvider time)
{
    /// <summary>Claims up to a number of ready instances of one bucket.</summary>
    public async Task<IReadOnlyList<ClaimedInstance>> ClaimAsync(short bucket, int limit, TimeSpan lease, string worker, CancellationToken cancel)
    {
        var asked = time.GetTimestamp();
        await using var command = database.Batches.CreateCommand(SqlText.Claim);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(limit));
        command.Parameters.Add(Columns.Value(lease));
        command.Parameters.Add(Columns.Value(Random.Shared.NextInt64()));
        command.Parameters.Add(Columns.Value(worker));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var claimed = new List<ClaimedInstance>();
        while (await reader.ReadAsync(cancel))
        {
            if (claimed.Count == 0)
                clock.Observe(reader.Time(12), asked);
            claimed.Add(Read(reader));
        }

        return claimed;
    }

    /// <summary>How long until the next instance of a bucket can be claimed; null where none waits for a time.</summary>
    public async Task<TimeSpan?> NextDueAsync(short bucket, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.NextDue);
        command.Parameters.Add(Columns.Value(bucket));
        var asked = time.GetTimestamp();
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        clock.Observe(reader.Time(1), asked);
        return reader.IsDBNull(0) ? null : TimeSpan.FromSeconds(Math.Clamp(reader.GetDouble(0), 0, 86_400));
    }

    /// <summary>Renews leases of one bucket; returns those that still hold, with what has been asked of their instances.</summary>
    public async Task<IReadOnlyDictionary<LeaseKey, Standing>> RenewAsync(
        short bucket, IReadOnlyList<LeaseKey> leases, TimeSpan lease, CancellationToken cancel)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Renew);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(leases.Select(held => held.Instance).ToArray()));
        command.Parameters.Add(Columns.Value(leases.Select(held => held.Token).ToArray()));
        command.Parameters.Add(Columns.Value(lease));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var renewed = new Dictionary<LeaseKey, Standing>();
        while (await reader.ReadAsync(cancel))
            renewed[new(reader.GetGuid(0), reader.GetInt64(1))] = ReadStanding(reader, 2);
        return renewed;
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

    /// <summary>Reads the six columns that tell what has been asked of an instance.</summary>
    internal static Standing ReadStanding(NpgsqlDataReader reader, int at) =>
        new(reader.GetBoolean(at), reader.TextOrNull(at + 1), reader.GetBoolean(at + 2), reader.GetInt64(at + 3), reader.GetInt64(at + 4), reader.GetInt64(at + 5));

    private static ClaimedInstance Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0), reader.GetInt64(23), reader.GetInt16(1), reader.Time(2),
        new(reader.GetBoolean(3), reader.TextOrNull(4), reader.GetBoolean(13), reader.GetInt64(14), reader.GetInt64(15), reader.GetInt64(24)),
        reader.JsonOrNull(5), reader.GetGuid(6), reader.GetFieldValue<byte[]>(7), reader.TextOrNull(8),
        reader.IsDBNull(16) ? null : reader.GetInt32(16), reader.TextOrNull(9), reader.GetInt16(17), reader.JsonOrNull(10), reader.JsonOrNull(11)!,
        reader.IsDBNull(18) ? null : new(reader.GetGuid(18), reader.GetGuid(19), reader.GetInt32(20)), reader.TextOrNull(21), reader.GetInt16(22),
        reader.GetBoolean(25), reader.JsonOrNull(26));
}
