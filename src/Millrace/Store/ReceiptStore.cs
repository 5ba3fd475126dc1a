using Millrace.Nodes;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Has the secret of the store's receipts, and knows from the history which of them are needed no more.</summary>
internal sealed class ReceiptStore(Database database)
{
    private volatile ReceiptSeal? seal;

    /// <summary>What the store's receipts are authenticated with. It never changes, and is read once.</summary>
    public ValueTask<ReceiptSeal> SealAsync(CancellationToken cancel) => seal is { } known ? new(known) : ReadSealAsync(cancel);

    /// <summary>The organisations of this store.</summary>
    public async Task<HashSet<Guid>> OrganisationsAsync(CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("SELECT organisation_id FROM millrace.organisation");
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var known = new HashSet<Guid>();
        while (await reader.ReadAsync(cancel))
            known.Add(reader.GetGuid(0));
        return known;
    }

    /// <summary>Those of some receipts that nobody will ever ask for.</summary>
    public async Task<IReadOnlyList<OldReceipt>> SettledAsync(IReadOnlyList<OldReceipt> asked, CancellationToken cancel)
    {
        var settled = new List<OldReceipt>();
        foreach (var bucket in asked.GroupBy(receipt => receipt.Bucket))
        {
            var (unsettled, done) = await UnsettledAsync(bucket.Key, [.. bucket], cancel);
            settled.AddRange(bucket.Where(receipt =>
                !unsettled.Contains(receipt.Instance) || done.Contains((receipt.Instance, receipt.Path, receipt.Iteration))));
        }

        return settled;
    }

    private async ValueTask<ReceiptSeal> ReadSealAsync(CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand("SELECT secret, keyed_since FROM millrace.receipt_secret");
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return seal = new(reader.GetFieldValue<byte[]>(0), reader.GetDateTime(1));
    }

    private async Task<(HashSet<Guid> Unsettled, HashSet<(Guid, string, int)> Done)> UnsettledAsync(
        short bucket, List<OldReceipt> receipts, CancellationToken cancel)
    {
        await using var command = database.Matches.CreateCommand(SqlText.Unsettled);
        command.CommandTimeout = 60;
        command.Parameters.Add(Columns.Value(bucket));
        var asked = receipts.Select(receipt => (receipt.Instance, receipt.Organisation)).Distinct().ToList();
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Uuid, receipt => receipt.Instance));
        command.Parameters.Add(new NpgsqlParameter<string[]>
        {
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
            TypedValue = [.. receipts.Select(receipt => receipt.Path).Distinct()],
        });
        command.Parameters.Add(Columns.Array(asked, NpgsqlDbType.Uuid, receipt => receipt.Organisation));
        command.Parameters.Add(Columns.Value(receipts.Select(receipt => receipt.Iteration).Distinct().ToArray()));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var unsettled = new HashSet<Guid>();
        var done = new HashSet<(Guid, string, int)>();
        while (await reader.ReadAsync(cancel))
        {
            unsettled.Add(reader.GetGuid(0));
            if (!reader.IsDBNull(1))
                done.Add((reader.GetGuid(0), reader.GetString(1), reader.GetInt32(2)));
        }

        return (unsettled, done);
    }
}
