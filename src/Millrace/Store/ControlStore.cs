using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Pump;
using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>Acts on single instances at a caller's wish: signals, cancel, suspend, resume, retry, delete.</summary>
public sealed class ControlStore
{
    private readonly Database database;
    private readonly InstanceStore instances;
    private readonly RunRelay relay;
    private readonly LimitOptions limits;

    internal ControlStore(Database database, InstanceStore instances, RunRelay relay, IOptions<MillraceOptions> options) =>
        (this.database, this.instances, this.relay, limits) = (database, instances, relay, options.Value.Limits);

    /// <summary>Asks for an instance to be cancelled.</summary>
    public async Task<ControlAnswer> CancelAsync(Guid organisation, Guid id, string? reason, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Cancel, organisation, id);
        command.Parameters.Add(Columns.Nullable(reason));
        return await AskAsync(command, organisation, id, ControlAnswer.Live, cancel);
    }

    /// <summary>Sends a signal.</summary>
    public async Task<ControlAnswer> SignalAsync(Guid organisation, Guid id, string name, Json data, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Signal, organisation, id);
        command.Parameters.Add(Columns.Value(name));
        command.Parameters.Add(Columns.Json(data));
        command.Parameters.Add(Columns.Value((long)limits.WaitingSignals));
        command.Parameters.Add(Columns.Value((long)data.Utf8.Length));
        command.Parameters.Add(Columns.Value((long)limits.WaitingSignalBytes));
        return await AskAsync(command, organisation, id, ControlAnswer.Full, cancel);
    }

    /// <summary>Asks for an instance to be suspended: what is being executed ends, nothing further begins.</summary>
    public async Task<ControlAnswer> SuspendAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Suspend, organisation, id);
        return await AskAsync(command, organisation, id, ControlAnswer.Cancelling, cancel);
    }

    /// <summary>Lets a suspended instance go on.</summary>
    public async Task<ControlAnswer> ResumeAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Resume, organisation, id);
        return await AskAsync(command, organisation, id, ControlAnswer.NotSuspended, cancel);
    }

    /// <summary>Lets a failed instance go on from the nodes that failed; results so far are kept.</summary>
    public async Task<ControlAnswer> RetryAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        if (await FailureAsync(organisation, id, cancel) is not { } failure)
            return await WhyNotAsync(organisation, id, ControlAnswer.Live, ControlAnswer.NotRetryable, cancel);

        var state = Revival.Of(StateJson.Read(failure.Snapshot));
        await using var command = database.InstanceCommand(SqlText.Retry, organisation, id);
        command.Parameters.Add(Columns.Value(failure.EndedAt.UtcDateTime));
        command.Parameters.Add(Columns.Json(StateJson.Write(state)));
        command.Parameters.Add(Columns.Value(state.Mailbox.Seen));
        if (await command.ExecuteScalarAsync(cancel) is not Guid)
            return await WhyNotAsync(organisation, id, ControlAnswer.Live, ControlAnswer.NotRetryable, cancel);
        relay.Nudge(id, isCall: true);
        return ControlAnswer.Accepted;
    }

    /// <summary>Removes an ended instance with all that is kept of it.</summary>
    public async Task<ControlAnswer> DeleteAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand(SqlText.Delete, organisation, id);
        return await command.ExecuteScalarAsync(cancel) is Guid
            ? ControlAnswer.Accepted
            : await WhyNotAsync(organisation, id, ControlAnswer.Live, ControlAnswer.Ended, cancel);
    }

    private async Task<ControlAnswer> AskAsync(NpgsqlCommand command, Guid organisation, Guid id, ControlAnswer ifLive, CancellationToken cancel)
    {
        if (await command.ExecuteScalarAsync(cancel) is null)
            return await WhyNotAsync(organisation, id, ifLive, ControlAnswer.Ended, cancel);
        relay.Nudge(id, isCall: true);
        return ControlAnswer.Accepted;
    }

    private async Task<ControlAnswer> WhyNotAsync(Guid organisation, Guid id, ControlAnswer ifLive, ControlAnswer ifEnded, CancellationToken cancel) =>
        await instances.FindAsync(organisation, id, cancel) switch
        {
            null => ControlAnswer.Unknown,
            { } view => view.Status.IsEnd() ? ifEnded : ifLive,
        };

    private async Task<(Json Snapshot, DateTimeOffset EndedAt)?> FailureAsync(Guid organisation, Guid id, CancellationToken cancel)
    {
        await using var command = database.InstanceCommand("""
            SELECT snapshot, ended_at
            FROM millrace.outcome
            WHERE bucket = $1 AND id = $2 AND organisation_id = $3 AND status = 5 AND snapshot IS NOT NULL
            """, organisation, id);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? (reader.JsonOrNull(0)!, reader.Time(1)) : null;
    }
}
