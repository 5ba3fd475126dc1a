using Millrace.Execution;
using Millrace.Pump;
using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An instance as callers see it.</summary>
public sealed record InstanceView(
    Guid Id, byte[] DefinitionHash, string? Workflow, int? Version, string? Label, short Priority, Json? Input, DateTimeOffset CreatedAt,
    InstanceStatus Status, Json? Result, Json? Error, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, Json? WaitingOn);

/// <summary>An execution as callers see it.</summary>
public sealed record ExecutionView(NodeExecution Execution, string Worker);

/// <summary>What became of a request to cancel.</summary>
public enum CancelAnswer
{
    /// <summary>It will be cancelled.</summary>
    Accepted,

    /// <summary>It has ended already.</summary>
    Ended,

    /// <summary>There is no such instance.</summary>
    Unknown,
}

/// <summary>Reads instances and acts on single ones.</summary>
public sealed class InstanceStore
{
    private readonly Database database;
    private readonly CancelRelay relay;

    internal InstanceStore(Database database, CancelRelay relay) => (this.database, this.relay) = (database, relay);

    /// <summary>An instance; null where the organisation has none of that id.</summary>
    public async Task<InstanceView?> FindAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = Command(SqlText.Instance, organisation, id);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? Read(reader) : null;
    }

    /// <summary>The executions of an instance from an ordinal on, oldest first.</summary>
    public async Task<IReadOnlyList<ExecutionView>> HistoryAsync(Guid organisation, Guid id, int fromOrdinal, int limit, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.History);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(id)));
        command.Parameters.Add(Columns.Value(id));
        command.Parameters.Add(Columns.Value(organisation));
        command.Parameters.Add(Columns.Value(fromOrdinal));
        command.Parameters.Add(Columns.Value(limit));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var history = new List<ExecutionView>();
        while (await reader.ReadAsync(cancel))
            history.Add(ReadExecution(reader));
        return history;
    }

    /// <summary>What is needed to rebuild a live instance's state: null where it has ended or does not exist.</summary>
    public async Task<LiveInstance?> LiveAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = Command("""
            SELECT work.snapshot, work.started_at, instance.workflow, instance.label, instance.input, instance.variables
            FROM millrace.work AS work
            JOIN millrace.instance AS instance ON instance.bucket = $1 AND instance.id = $2
            WHERE work.bucket = $1 AND work.id = $2 AND work.organisation_id = $3
            """, organisation, id);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        if (!await reader.ReadAsync(cancel))
            return null;
        var facts = new InstanceFacts(id, reader.TextOrNull(3), reader.TextOrNull(2), reader.JsonOrNull(4) ?? Json.Null, reader.JsonOrNull(5)!);
        return new(facts, reader.JsonOrNull(0), reader.TimeOrNull(1));
    }

    /// <summary>Asks for an instance to be cancelled.</summary>
    public async Task<CancelAnswer> CancelAsync(Guid organisation, Guid id, string? reason, CancellationToken cancel)
    {
        await using (var command = Command(SqlText.Cancel, organisation, id))
        {
            command.Parameters.Add(Columns.Nullable(reason));
            if (await command.ExecuteScalarAsync(cancel) is bool)
            {
                relay.Announce(id, reason);
                return CancelAnswer.Accepted;
            }
        }

        return await FindAsync(organisation, id, cancel) is null ? CancelAnswer.Unknown : CancelAnswer.Ended;
    }

    private NpgsqlCommand Command(string sql, Guid organisation, Guid id)
    {
        var command = database.Source.CreateCommand(sql);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(id)));
        command.Parameters.Add(Columns.Value(id));
        command.Parameters.Add(Columns.Value(organisation));
        return command;
    }

    internal static InstanceView Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0), reader.GetFieldValue<byte[]>(1), reader.TextOrNull(2), reader.IsDBNull(3) ? null : reader.GetInt32(3), reader.TextOrNull(4),
        reader.GetInt16(5), reader.JsonOrNull(6), reader.Time(7), (InstanceStatus)reader.GetInt16(8), reader.JsonOrNull(9), reader.JsonOrNull(10),
        reader.TimeOrNull(11), reader.TimeOrNull(12), reader.JsonOrNull(13));

    private static ExecutionView ReadExecution(NpgsqlDataReader reader) => new(
        new(
            reader.GetInt32(0),
            new(reader.GetString(1), reader.GetInt32(2), reader.GetInt32(3)),
            reader.GetString(4),
            (NodeStatus)reader.GetInt16(5),
            reader.JsonOrNull(6),
            ErrorJson.Read(reader.JsonOrNull(7)),
            reader.Time(8),
            reader.Time(9)),
        reader.GetString(10));
}

/// <summary>What is needed to rebuild a live instance's state.</summary>
/// <param name="Facts">What does not change.</param>
/// <param name="Snapshot">Its state when it last parked; null if it never has.</param>
/// <param name="StartedAt">When it was first claimed; null if it never was.</param>
public sealed record LiveInstance(InstanceFacts Facts, Json? Snapshot, DateTimeOffset? StartedAt);
