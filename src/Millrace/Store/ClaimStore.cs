using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An instance that this process now holds the lease of.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LeaseToken">The proof of the lease: no checkpoint is accepted without it.</param>
/// <param name="Claims">How many workers in a row have claimed it without parking or ending it, this one included.</param>
/// <param name="StartedAt">When it was first claimed.</param>
/// <param name="CancelRequested">Whether somebody has asked for it to be cancelled.</param>
/// <param name="CancelReason">Why.</param>
/// <param name="Snapshot">Its state when it last parked; null if it never has.</param>
/// <param name="Organisation">Whose it is.</param>
/// <param name="DefinitionHash">What it follows.</param>
/// <param name="Workflow">The name of the workflow; null for a nameless definition.</param>
/// <param name="Label">The caller's label.</param>
/// <param name="Input">Its input.</param>
/// <param name="Variables">Its variables.</param>
internal sealed record ClaimedInstance(
    Guid Id, long LeaseToken, int Claims, DateTimeOffset StartedAt, bool CancelRequested, string? CancelReason, Json? Snapshot,
    Guid Organisation, byte[] DefinitionHash, string? Workflow, string? Label, Json? Input, Json Variables)
{
    /// <summary>The lease.</summary>
    public Lease Lease => new(Id, Organisation, LeaseToken, StartedAt);
}

/// <summary>Claims ready instances and keeps their leases.</summary>
internal sealed class ClaimStore(Database database, StoreClock clock)
{
    /// <summary>Claims up to a number of ready instances of one bucket under one lease token.</summary>
    public async Task<IReadOnlyList<ClaimedInstance>> ClaimAsync(short bucket, int limit, TimeSpan lease, string worker, CancellationToken cancel)
    {
        var token = Random.Shared.NextInt64(1, long.MaxValue);
        await using var command = database.Batches.CreateCommand(SqlText.Claim);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(limit));
        command.Parameters.Add(Columns.Value(lease));
        command.Parameters.Add(Columns.Value(token));
        command.Parameters.Add(Columns.Value(worker));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var claimed = new List<ClaimedInstance>();
        while (await reader.ReadAsync(cancel))
        {
            if (claimed.Count == 0)
                clock.Observe(reader.Time(12));
            claimed.Add(Read(reader, token));
        }

        return claimed;
    }

    /// <summary>How long until the next instance of a bucket can be claimed; null where none waits for a time.</summary>
    public async Task<TimeSpan?> NextDueAsync(short bucket, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.NextDue);
        command.Parameters.Add(Columns.Value(bucket));
        return await command.ExecuteScalarAsync(cancel) is double seconds
            ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 86_400))
            : null;
    }

    /// <summary>Renews leases of one bucket; returns those that still hold, with requests to cancel.</summary>
    public async Task<IReadOnlyList<(Guid Id, bool CancelRequested, string? CancelReason)>> RenewAsync(
        short bucket, IReadOnlyList<(Guid Id, long Token)> leases, TimeSpan lease, CancellationToken cancel)
    {
        await using var command = database.Batches.CreateCommand(SqlText.Renew);
        command.Parameters.Add(Columns.Value(bucket));
        command.Parameters.Add(Columns.Value(leases.Select(held => held.Id).ToArray()));
        command.Parameters.Add(Columns.Value(leases.Select(held => held.Token).ToArray()));
        command.Parameters.Add(Columns.Value(lease));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var renewed = new List<(Guid, bool, string?)>();
        while (await reader.ReadAsync(cancel))
            renewed.Add((reader.GetGuid(0), reader.GetBoolean(1), reader.TextOrNull(2)));
        return renewed;
    }

    private static ClaimedInstance Read(NpgsqlDataReader reader, long token) => new(
        reader.GetGuid(0), token, reader.GetInt16(1), reader.Time(2), reader.GetBoolean(3), reader.TextOrNull(4), reader.JsonOrNull(5),
        reader.GetGuid(6), reader.GetFieldValue<byte[]>(7), reader.TextOrNull(8), reader.TextOrNull(9), reader.JsonOrNull(10), reader.JsonOrNull(11)!);
}
