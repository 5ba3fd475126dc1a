using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Pump;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>Stores checkpoints, many at a time: one round trip and one commit for each bucket in a batch.</summary>
internal sealed class CheckpointStore : IAsyncDisposable
{
    private readonly Database database;
    private readonly string worker;
    private readonly RunRelay relay;
    private readonly Batcher<Checkpoint, CheckpointAnswer> batcher;

    public CheckpointStore(Database database, WorkerName worker, RunRelay relay, IOptions<MillraceOptions> options)
    {
        (this.database, this.worker, this.relay) = (database, worker.Value, relay);
        // Runs wait for their checkpoints, so what is waiting is bounded by how many runs there are.
        var settings = new BatcherSettings(options.Value.Store.CheckpointBatch, 1_000_000, Flushers: 2) { CapacityBytes = long.MaxValue, SideBySide = 128 };
        batcher = Batcher<Checkpoint, CheckpointAnswer>.ByTransaction(
            settings, checkpoint => checkpoint.Bytes, checkpoint => InstanceId.BucketOf(checkpoint.Lease.Instance), FlushAsync);
    }

    /// <summary>Stores a checkpoint, together with others that come at the same time.</summary>
    public Task<CheckpointAnswer> StoreAsync(Checkpoint checkpoint) => batcher.AddAsync(checkpoint);

    public ValueTask DisposeAsync() => batcher.DisposeAsync();

    private async Task<IReadOnlyList<CheckpointAnswer>> FlushAsync(short bucket, IReadOnlyList<Checkpoint> checkpoints)
    {
        var answers = new Dictionary<LeaseKey, CheckpointAnswer>(checkpoints.Count);
        await FlushAsync(bucket, [.. checkpoints.OrderBy(checkpoint => checkpoint.Lease.Instance)], answers);
        return [.. checkpoints.Select(checkpoint => answers.GetValueOrDefault(checkpoint.Lease.Key))];
    }

    // What concerns other rows goes first and looks at the leases itself: the statements after it may end them.
    private async Task FlushAsync(short bucket, List<Checkpoint> checkpoints, Dictionary<LeaseKey, CheckpointAnswer> answers)
    {
        var progress = checkpoints.OfType<ProgressCheckpoint>().ToList();
        var saves = checkpoints.OfType<SaveCheckpoint>().ToList();
        var parks = checkpoints.OfType<ParkCheckpoint>().ToList();
        var finishes = checkpoints.OfType<FinishCheckpoint>().ToList();
        var alive = checkpoints.Where(checkpoint => checkpoint.ShowsLife).ToList();

        List<NpgsqlBatchCommand> others = [.. ChildStore.Commands(bucket, checkpoints), .. SignalCommands(bucket, checkpoints)];
        var source = others.Count + saves.Count + parks.Count > 0 ? database.Matches : database.Batches;
        await using var batch = source.CreateBatch();
        if (new[] { others.Count, alive.Count, progress.Count, saves.Count, parks.Count, finishes.Count }.Count(static rows => rows > 0) > 1 && !others.Exists(LocksFamily))
            batch.BatchCommands.Add(LeaseCommand(SqlText.LockRows, bucket, checkpoints));
        foreach (var command in others)
            batch.BatchCommands.Add(command);
        if (alive.Count > 0)
            batch.BatchCommands.Add(LeaseCommand(SqlText.Alive, bucket, alive));
        if (progress.Count > 0)
            batch.BatchCommands.Add(Command(SqlText.Progress, bucket, progress));
        if (saves.Count > 0)
            batch.BatchCommands.Add(SaveCommand(bucket, saves));
        if (parks.Count > 0)
            batch.BatchCommands.Add(ParkCommand(bucket, parks));
        if (finishes.Count > 0)
            batch.BatchCommands.Add(FinishCommand(bucket, finishes));

        await using (var reader = await batch.ExecuteReaderAsync())
        {
            var told = await ReadToldAsync(reader, batch);
            if (progress.Count > 0)
                await ReadAsync(reader, answers, row => new(true, ClaimStore.ReadStanding(row, 2)));
            if (saves.Count > 0)
                await ReadAsync(reader, answers, row => new(true, ClaimStore.ReadStanding(row, 2)));
            if (parks.Count > 0)
                await ReadAsync(reader, answers, row => new(true, Ready: row.GetBoolean(2)));
            if (finishes.Count > 0)
                await ReadAsync(reader, answers, _ => new(true));
            while (await reader.NextResultAsync())
            {
                // To the end of the batch: only then has it been committed.
            }

            relay.Nudge(told);
            // A sibling may have been let in to take an ended one's place.
            if (finishes.Any(finish => finish.Lease.Membership is not null))
                relay.Wake(bucket);
        }
    }

    // The ids of other instances that something has been written to; whoever runs them here need not wait to be told.
    private static async Task<List<Guid>> ReadToldAsync(NpgsqlDataReader reader, NpgsqlBatch batch)
    {
        var told = new List<Guid>();
        if (batch.BatchCommands[0] is var first && (LocksFamily(first) || first.CommandText == SqlText.LockRows))
            await reader.NextResultAsync();
        var results = batch.BatchCommands.Cast<NpgsqlBatchCommand>().Count(command => command.CommandText == SqlText.CancelChildren || command.CommandText == SqlText.EndChildren);
        for (; results > 0; results--)
        {
            while (await reader.ReadAsync())
                told.Add(reader.GetGuid(0));
            await reader.NextResultAsync();
        }

        return told;
    }

    private static async Task ReadAsync(
        NpgsqlDataReader reader, Dictionary<LeaseKey, CheckpointAnswer> answers, Func<NpgsqlDataReader, CheckpointAnswer> answer)
    {
        while (await reader.ReadAsync())
            answers[new(reader.GetGuid(0), reader.GetInt64(1))] = answer(reader);
        await reader.NextResultAsync();
    }

    // Signals that a snapshot contains, or that nobody will receive any more, need not be kept beside it.
    private static IEnumerable<NpgsqlBatchCommand> SignalCommands(short bucket, List<Checkpoint> checkpoints)
    {
        var taken = checkpoints.Select(checkpoint => (checkpoint.Lease, Seen: SeenBy(checkpoint))).Where(item => item.Seen > 0).ToList();
        if (taken.Count > 0)
        {
            yield return new(SqlText.ForgetSignals)
            {
                Parameters =
                {
                    Columns.Value(bucket),
                    Columns.Array(taken, NpgsqlDbType.Uuid, item => item.Lease.Instance),
                    Columns.Array(taken, NpgsqlDbType.Bigint, item => item.Lease.Token),
                    Columns.Array(taken, NpgsqlDbType.Bigint, item => item.Seen),
                },
            };
        }
    }

    private static long SeenBy(Checkpoint checkpoint) => checkpoint switch
    {
        SaveCheckpoint save => save.State.Mailbox.Seen,
        ParkCheckpoint park => park.State.Mailbox.Seen,
        // A retry reads what its state has not seen.
        FinishCheckpoint { HadSignals: true } finish => finish.ResumeSeen ?? long.MaxValue,
        _ => 0,
    };

    private static long TakenBy(InstanceState state) => state.Mailbox.Seen - state.Mailbox.Waiting.Count;

    private static bool LocksFamily(NpgsqlBatchCommand command) => command.CommandText == SqlText.LockFamily;

    private static NpgsqlBatchCommand LeaseCommand(string sql, short bucket, List<Checkpoint> checkpoints) => new(sql)
    {
        Parameters =
        {
            Columns.Value(bucket),
            Columns.Array(checkpoints, NpgsqlDbType.Uuid, checkpoint => checkpoint.Lease.Instance),
            Columns.Array(checkpoints, NpgsqlDbType.Bigint, checkpoint => checkpoint.Lease.Token),
        },
    };

    private NpgsqlBatchCommand SaveCommand(short bucket, List<SaveCheckpoint> saves)
    {
        var command = Command(SqlText.Save, bucket, saves);
        command.Parameters.Add(Columns.JsonArray(saves, save => save.Snapshot));
        command.Parameters.Add(Columns.Array(saves, NpgsqlDbType.Bigint, save => save.State.Mailbox.Seen));
        command.Parameters.Add(Columns.Array(saves, NpgsqlDbType.Bigint, save => TakenBy(save.State)));
        command.Parameters.Add(Columns.Array(saves, NpgsqlDbType.Bigint, save => SignalStore.BytesIn(save.State.Mailbox)));
        return command;
    }

    private NpgsqlBatchCommand ParkCommand(short bucket, List<ParkCheckpoint> parks)
    {
        var command = Command(SqlText.Park, bucket, parks);
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.TimestampTz, park => park.Due?.UtcDateTime ?? DateTime.MaxValue));
        command.Parameters.Add(Columns.JsonArray(parks, park => park.Snapshot));
        command.Parameters.Add(Columns.JsonArray(parks, park => park.WaitingOn));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Bigint, park => park.State.Mailbox.Seen));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Bigint, park => TakenBy(park.State)));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Bigint, park => park.Seen.ChildEnds));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Boolean, park => park.State.Ending is not null));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Bigint, park => park.Seen.Requests));
        command.Parameters.Add(Columns.Array(parks, NpgsqlDbType.Bigint, park => SignalStore.BytesIn(park.State.Mailbox)));
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
        command.Parameters.Add(Columns.JsonArray(finishes, finish => finish.Resume));
        return command;
    }

    private NpgsqlBatchCommand Command(string sql, short bucket, IReadOnlyList<Checkpoint> checkpoints)
    {
        var ended = checkpoints.SelectMany(checkpoint => checkpoint.Ended.Select((execution, index) =>
            (checkpoint.Lease, Execution: execution, Events: index == 0 ? checkpoint.Events : null))).ToList();
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
                Columns.JsonArray(ended, item => item.Events),
                Columns.Value(worker),
                Columns.Array(ended, NpgsqlDbType.Bigint, item => item.Lease.Token),
            },
        };
    }
}
