using Millrace.Execution;
using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>An instance as callers see it.</summary>
public sealed record InstanceView(
    Guid Id, byte[] DefinitionHash, string? Workflow, int? Version, string? Label, short Priority, Json? Input, DateTimeOffset CreatedAt,
    InstanceStatus Status, Json? Result, Json? Error, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, Json? WaitingOn, string? Entry)
{
    /// <summary>About how many bytes it takes.</summary>
    internal long Bytes => 500 + (Input?.Utf8.Length ?? 0) + (Result?.Utf8.Length ?? 0) + (Error?.Utf8.Length ?? 0) + (WaitingOn?.Utf8.Length ?? 0);
}

/// <summary>An execution as callers see it.</summary>
public sealed record ExecutionView(NodeExecution Execution, string Worker, Json? Events = null)
{
    /// <summary>The same as a line to fold.</summary>
    public HistoryLine Line => new(Execution, Events);

    /// <summary>About how many bytes it takes.</summary>
    internal long Bytes => 500 + Execution.Key.Path.Length + (Execution.Result?.Utf8.Length ?? 0) + (Execution.Error?.Message.Length ?? 0) + (Events?.Utf8.Length ?? 0);
}

/// <summary>What the picture of an instance shows of an execution.</summary>
/// <param name="Key">Which execution.</param>
/// <param name="Status">How it ended.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Error">Why it failed; null where it did not. A long text is cut.</param>
/// <param name="Items">Of a <c>forEach</c>, how many items it had; null for anything else.</param>
public sealed record ExecutionSketch(NodeKey Key, NodeStatus Status, DateTimeOffset StartedAt, DateTimeOffset EndedAt, string? Error, int? Items)
{
    // Thousands of long texts would be no picture any more.
    private const int LongestError = 2000;

    internal static string? Cut(string? error) => error?.Length > LongestError
        ? $"{error.AsSpan(0, char.IsHighSurrogate(error[LongestError - 1]) ? LongestError - 1 : LongestError)}…"
        : error;
}

/// <summary>What became of a request about an instance.</summary>
public enum ControlAnswer
{
    /// <summary>It was stored, and will be carried out.</summary>
    Accepted,

    /// <summary>The instance has ended already.</summary>
    Ended,

    /// <summary>The instance has not ended yet.</summary>
    Live,

    /// <summary>The instance is not suspended.</summary>
    NotSuspended,

    /// <summary>The instance is being cancelled.</summary>
    Cancelling,

    /// <summary>The instance has not failed, or has nothing to go on from.</summary>
    NotRetryable,

    /// <summary>Too many signals wait to be received.</summary>
    Full,

    /// <summary>There is no such instance.</summary>
    Unknown,
}

/// <summary>Reads instances.</summary>
public sealed class InstanceStore(Database database)
{
    /// <summary>An instance; null where the organisation has none of that id.</summary>
    public Task<InstanceView?> FindAsync(Guid organisation, Guid id, CancellationToken cancel) => database.Weeks.AskAsync(SqlText.Instance, id, async sql =>
    {
        await using var command = database.InstanceCommand(sql, organisation, id);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? Read(reader) : null;
    });

    /// <summary>A page of the executions of an instance from an ordinal on, oldest first.</summary>
    public Task<Page<ExecutionView>> HistoryAsync(Guid organisation, Guid id, int fromOrdinal, int limit, CancellationToken cancel) => Pages.ReadAsync<ExecutionView>(
        limit,
        (last, count) => ExecutionsAsync(organisation, id, last?.Execution.Ordinal + 1 ?? fromOrdinal, count, cancel),
        view => view.Bytes,
        cancel);

    /// <summary>
    /// The oldest and the newest executions of an instance, oldest first, without their results: all of them where there are
    /// not more than asked for.
    /// </summary>
    internal async Task<IReadOnlyList<ExecutionSketch>> EdgesAsync(Guid organisation, Guid id, int oldest, int newest, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Edges, organisation, id);
        command.Parameters.Add(Columns.Value(oldest));
        command.Parameters.Add(Columns.Value(newest));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var edges = new List<ExecutionSketch>();
        while (await reader.ReadAsync(cancel))
        {
            edges.Add(new(
                new(reader.GetString(0), reader.GetInt32(1), reader.GetInt32(2)), (NodeStatus)reader.GetInt16(3),
                reader.Time(4), reader.Time(5), ExecutionSketch.Cut(ErrorJson.Read(reader.JsonOrNull(6))?.Message), reader.IsDBNull(7) ? null : reader.GetInt32(7)));
        }

        return edges;
    }

    /// <summary>The executions of an instance from an ordinal on, oldest first, one at a time.</summary>
    internal IAsyncEnumerable<ExecutionView> ExecutionsAsync(Guid organisation, Guid id, int fromOrdinal, int limit, CancellationToken cancel)
    {
        var command = database.InstanceCommand(SqlText.History, organisation, id);
        command.Parameters.Add(Columns.Value(fromOrdinal));
        command.Parameters.Add(Columns.Value(limit));
        return Pages.RowsAsync(command, ReadExecution, cancel);
    }

    /// <summary>What is needed to rebuild a live instance's state: null where it has ended or does not exist.</summary>
    internal Task<LiveInstance?> LiveAsync(Guid organisation, Guid id, CancellationToken cancel) => database.Weeks.AskAsync(SqlText.Live, id, async sql =>
    {
        await using var command = database.InstanceCommand(sql, organisation, id);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? ReadLive(reader, id) : null;
    });

    internal static InstanceView Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0), reader.GetFieldValue<byte[]>(1), reader.TextOrNull(2), reader.IsDBNull(3) ? null : reader.GetInt32(3), reader.TextOrNull(4),
        reader.GetInt16(5), reader.JsonOrNull(6), reader.Time(7), (InstanceStatus)reader.GetInt16(8), reader.JsonOrNull(9), reader.JsonOrNull(10),
        reader.TimeOrNull(11), reader.TimeOrNull(12), reader.JsonOrNull(13), reader.TextOrNull(14));

    private static LiveInstance ReadLive(NpgsqlDataReader reader, Guid id)
    {
        var facts = new InstanceFacts(id, reader.TextOrNull(3), reader.TextOrNull(2), reader.JsonOrNull(4) ?? Json.Null, reader.JsonOrNull(5)!)
        {
            Entry = reader.TextOrNull(9),
        };
        var membership = reader.IsDBNull(6) ? null : new Membership(reader.GetGuid(6), reader.GetGuid(7), reader.GetInt32(8));
        return new(facts, membership, reader.JsonOrNull(0), reader.TimeOrNull(1));
    }

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
        reader.GetString(10),
        reader.JsonOrNull(11));
}

/// <summary>What is needed to rebuild a live instance's state.</summary>
/// <param name="Facts">What does not change; for an item, without what it shares with its siblings.</param>
/// <param name="Membership">As which child; null where nobody waits for it.</param>
/// <param name="Snapshot">Its state when it last parked; null if it never has.</param>
/// <param name="StartedAt">When it was first claimed; null if it never was.</param>
internal sealed record LiveInstance(InstanceFacts Facts, Membership? Membership, Json? Snapshot, DateTimeOffset? StartedAt);
