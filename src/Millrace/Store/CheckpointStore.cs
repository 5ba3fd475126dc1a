using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Stores checkpoints, many at a time: one round trip and one commit for each bucket in a batch.</summary>
internal sealed class CheckpointStore : IAsyncDisposable
{
    private readonly Database database;
    private readonly string worker;
    private readonly Batcher<Checkpoint, CheckpointAnswer> batcher;

    public CheckpointStore(Database database, WorkerName worker, IOptions<MillraceOptions> options)
    {
        (this.database, this.worker) = (database, worker.Value);
        // Runs wait for their checkpoints, so what is waiting is bounded by how many runs there are.
        var settings = new BatcherSettings(options.Value.Store.CheckpointBatch, 1_000_000, Flushers: 2) { CapacityBytes = long.MaxValue };
        batcher = new(settings, checkpoint => checkpoint.Bytes, FlushAsync);
    }

    /// <summary>Stores a checkpoint, together with others that come at the same time.</summary>
    public Task<CheckpointAnswer> StoreAsync(Checkpoint checkpoint) => batcher.AddAsync(checkpoint);

    public ValueTask DisposeAsync() => batcher.DisposeAsync();

    private async Task<IReadOnlyList<CheckpointAnswer>> FlushAsync(IReadOnlyList<Checkpoint> checkpoints)
    {
        var answers = new Dictionary<Guid, CheckpointAnswer>(checkpoints.Count);
        foreach (var bucket in checkpoints.GroupBy(checkpoint => InstanceId.BucketOf(checkpoint.Lease.Instance)))
            await FlushAsync(bucket.Key, [.. bucket.OrderBy(checkpoint => checkpoint.Lease.Instance)], answers);
        return [.. checkpoints.Select(checkpoint => answers.GetValueOrDefault(checkpoint.Lease.Instance))];
    }

    private async Task FlushAsync(short bucket, List<Checkpoint> checkpoints, Dictionary<Guid, CheckpointAnswer> answers)
    {
        var progress = checkpoints.OfType<ProgressCheckpoint>().ToList();
        var parks = checkpoints.OfType<ParkCheckpoint>().ToList();
        var finishes = checkpoints.OfType<FinishCheckpoint>().ToList();

        await using var batch = database.Batches.CreateBatch();
        if (progress.Count > 0)
            batch.BatchCommands.Add(Command(SqlText.Progress, bucket, progress));
        if (parks.Count > 0)
            batch.BatchCommands.Add(ParkCommand(bucket, parks));
        if (finishes.Count > 0)
            batch.BatchCommands.Add(FinishCommand(bucket, finishes));

        await using var reader = await batch.ExecuteReaderAsync();
        if (progress.Count > 0)
            await ReadAsync(reader, answers, row => new(true, row.GetBoolean(1), row.TextOrNull(2)));
        if (parks.Count > 0)
            await ReadAsync(reader, answers, row => new(true, Ready: row.GetBoolean(1)));
        if (finishes.Count > 0)
            await ReadAsync(reader, answers, _ => new(true));
    }

    private static async Task ReadAsync(
        NpgsqlDataReader reader, Dictionary<Guid, CheckpointAnswer> answers, Func<NpgsqlDataReader, CheckpointAnswer> answer)
    {
        while (await reader.ReadAsync())
            answers[reader.GetGuid(0)] = answer(reader);
        await reader.NextResultAsync();
    }

    private NpgsqlBatchCommand ParkCommand(short bucket, List<ParkCheckpoint> parks)
    {
        var command = Command(SqlText.Park, bucket, parks);
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.TimestampTz, park => park.Due?.UtcDateTime ?? DateTime.MaxValue));
        command.Parameters.Add(Columns.JsonArray(parks, park => park.Snapshot));
        command.Parameters.Add(Columns.JsonArray(parks, park => park.WaitingOn));
        return command;
    }

    private NpgsqlBatchCommand FinishCommand(short bucket, List<FinishCheckpoint> finishes)
    {
        var command = Command(SqlText.Finish, bucket, finishes);
        command.Parameters.Add(Columns.Array(finishes, NpgsqlDbType.Uuid, finish => finish.Lease.Organisation));
        command.Parameters.Add(Columns.Array(finishes, NpgsqlDbType.TimestampTz, finish => finish.Lease.StartedAt.UtcDateTime));
        command.Parameters.Add(Columns.Array(finishes, NpgsqlDbType.Smallint, finish => (short)finish.Outcome.Status));
        command.Parameters.Add(Columns.JsonArray(finishes, finish => finish.Outcome.Result));
        command.Parameters.Add(Columns.JsonArray(finishes, finish => ErrorJson.OfInstance(finish.Outcome.Error)));
        return command;
    }

    private NpgsqlBatchCommand Command(string sql, short bucket, IReadOnlyList<Checkpoint> checkpoints)
    {
        var ended = checkpoints.SelectMany(checkpoint => checkpoint.Ended.Select(execution => (checkpoint.Lease, Execution: execution))).ToList();
        return new(sql)
        {
            Parameters =
            {
                Columns.Value(bucket),
                Columns.Array(checkpoints, NpgsqlDbType.Uuid, checkpoint => checkpoint.Lease.Instance),
                Columns.Array(checkpoints, NpgsqlDbType.Bigint, checkpoint => checkpoint.Lease.Token),
                Columns.Array(ended, NpgsqlDbType.Uuid, item => item.Lease.Instance),
                Columns.Array(ended, NpgsqlDbType.Uuid, item => item.Lease.Organisation),
                Columns.Array(ended, NpgsqlDbType.Integer, item => item.Execution.Ordinal),
                Columns.Array(ended, NpgsqlDbType.Text, item => item.Execution.Key.Path),
                Columns.Array(ended, NpgsqlDbType.Integer, item => item.Execution.Key.Iteration),
                Columns.Array(ended, NpgsqlDbType.Integer, item => item.Execution.Key.Attempt),
                Columns.Array(ended, NpgsqlDbType.Text, item => item.Execution.Kind),
                Columns.Array(ended, NpgsqlDbType.Smallint, item => (short)item.Execution.Status),
                Columns.JsonArray(ended, item => item.Execution.Result),
                Columns.JsonArray(ended, item => ErrorJson.OfExecution(item.Execution.Error)),
                Columns.Array(ended, NpgsqlDbType.TimestampTz, item => item.Execution.StartedAt.UtcDateTime),
                Columns.Array(ended, NpgsqlDbType.TimestampTz, item => item.Execution.EndedAt.UtcDateTime),
                Columns.Value(worker),
            },
        };
    }
}
