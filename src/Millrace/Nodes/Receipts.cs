using Millrace.Store;
using Millrace.Values;
using Npgsql;

namespace Millrace.Nodes;

/// <summary>What a statement does with the receipts of a table.</summary>
/// <param name="Name">The table's full name.</param>
internal sealed record Receipts(string Name)
{
    private readonly string guard =
        $"SELECT ('this execution has its receipt already: ' || execution_id)::integer FROM {Name} WHERE execution_id = $1 AND bucket = $2";

    private readonly string insert = $"""
        INSERT INTO {Name} (bucket, execution_id, organisation_id, instance_id, path, iteration, attempt, result)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """;

    /// <summary>Refuses an execution that has a receipt: with an error, so that what follows it is not executed.</summary>
    public NpgsqlBatchCommand Guard(Receipt receipt) => new(guard)
    {
        Parameters = { Columns.Value(receipt.Id), Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)) },
    };

    /// <summary>Writes a receipt; a second one for an execution breaks the key, and with it the transaction.</summary>
    public NpgsqlBatchCommand Insert(Receipt receipt, ReceiptSeal seal, Json result) => new(insert)
    {
        Parameters =
        {
            Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)),
            Columns.Value(receipt.Id),
            Columns.Value(receipt.Context.Organisation),
            Columns.Value(receipt.Context.Instance),
            Columns.Value(receipt.Key.Path),
            Columns.Value(receipt.Key.Iteration),
            Columns.Value(receipt.Key.Attempt),
            Columns.Json(seal.Seal(receipt, result)),
        },
    };

    /// <summary>The result that a receipt keeps; null where there is none.</summary>
    /// <exception cref="ReceiptException">It is not the result that was written with the receipt.</exception>
    public async Task<Json?> ResultAsync(NpgsqlConnection session, Receipt receipt, ReceiptSeal seal, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"SELECT result FROM {Name} WHERE execution_id = $1 AND bucket = $2", session)
        {
            Parameters = { Columns.Value(receipt.Id), Columns.Value(InstanceId.BucketOf(receipt.Context.Instance)) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        if (!await reader.ReadAsync(cancel))
            return null;
        return seal.Open(receipt, reader.JsonOrNull(0)!) ?? throw new ReceiptException(
            $"the receipt of this execution in {Name} was not written by Millrace, or was changed since; whether the statement has had its effects is not known");
    }

    /// <summary>Whether an error is one of <see cref="Guard"/> or <see cref="Insert"/>, and not of a statement.</summary>
    public bool IsAbout(PostgresException e) => e.BatchCommand?.CommandText is { } text && (text == guard || text == insert);
}
