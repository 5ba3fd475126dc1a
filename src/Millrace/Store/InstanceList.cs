using System.Text;
using Millrace.Execution;
using Npgsql;

namespace Millrace.Store;

/// <summary>Which instances to list.</summary>
/// <param name="Organisation">Whose.</param>
/// <param name="Status">Only with this status.</param>
/// <param name="Label">Only with this label.</param>
/// <param name="Workflow">Only of this workflow.</param>
/// <param name="Before">Only older ones than this id.</param>
/// <param name="Limit">How many at the most.</param>
public sealed record InstanceFilter(Guid Organisation, InstanceStatus? Status, string? Label, string? Workflow, Guid? Before, int Limit);

/// <summary>
/// Lists instances, newest first, by key and never by offset. Each bucket gives its newest ones from an index that has
/// the answer's order, and the buckets are merged. A label or a workflow has an index of its own; completed instances are
/// read along the outcomes' key, failed and cancelled ones from an index of theirs, which a status written into the
/// statement lets the planner use; live ones come from the work table, which is small.
/// </summary>
public sealed class InstanceList(Database database)
{
    /// <summary>One page.</summary>
    public Task<Page<InstanceView>> PageAsync(InstanceFilter filter, CancellationToken cancel) => Pages.ReadAsync<InstanceView>(
        filter.Limit,
        (last, count) => Pages.RowsAsync(Command(filter with { Before = last?.Id ?? filter.Before, Limit = count }), InstanceStore.Read, cancel),
        view => view.Bytes,
        cancel);

    private NpgsqlCommand Command(InstanceFilter filter)
    {
        var command = database.Source.CreateCommand(Sql(filter));
        command.Parameters.Add(Columns.Value(filter.Organisation));
        command.Parameters.Add(Columns.Value(filter.Limit));
        command.Parameters.Add(Columns.Value(database.Buckets - 1));
        command.Parameters.Add(Columns.Value(filter.Before ?? Guid.AllBitsSet));
        foreach (var text in new[] { filter.Label, filter.Workflow })
        {
            if (text is not null)
                command.Parameters.Add(Columns.Value(text));
        }

        return command;
    }

    internal static string Sql(InstanceFilter filter)
    {
        // The newest matching ids of one bucket come from whichever table knows the most selective part.
        var next = 5;
        var from = filter.Status switch
        {
            null => "millrace.instance AS instance",
            { } status when status.IsEnd() => "millrace.outcome AS driver JOIN millrace.instance AS instance ON instance.bucket = driver.bucket AND instance.organisation_id = driver.organisation_id AND instance.id = driver.id",
            _ => "millrace.work AS driver JOIN millrace.instance AS instance ON instance.bucket = driver.bucket AND instance.organisation_id = driver.organisation_id AND instance.id = driver.id",
        };
        var driver = filter.Status is null ? "instance" : "driver";
        var where = new StringBuilder($"{driver}.bucket = place.bucket AND {driver}.organisation_id = $1 AND {driver}.id < $4");
        if (filter.Status is not null)
            where.Append($" AND driver.status = {(short)filter.Status}");
        if (filter.Label is not null)
            where.Append($" AND instance.label = ${next++}");
        if (filter.Workflow is not null)
            where.Append($" AND instance.workflow = ${next++}");

        return $"""
            SELECT instance.id, instance.definition_hash, instance.workflow, instance.version, instance.label, instance.priority,
                   instance.input, instance.created_at,
                   coalesce(outcome.status, work.status), outcome.result, outcome.error,
                   coalesce(outcome.started_at, work.started_at), outcome.ended_at, work.waiting_on, instance.entry
            FROM (
                SELECT newest.*
                FROM generate_series(0, $3) AS place (bucket)
                CROSS JOIN LATERAL (
                    SELECT instance.*
                    FROM {from}
                    WHERE {where}
                    ORDER BY {driver}.id DESC
                    LIMIT $2
                ) AS newest
                ORDER BY newest.id DESC
                LIMIT $2
            ) AS instance
            LEFT JOIN millrace.work AS work ON work.bucket = instance.bucket AND work.id = instance.id
            LEFT JOIN millrace.outcome AS outcome ON outcome.bucket = instance.bucket AND outcome.organisation_id = $1 AND outcome.id = instance.id
            ORDER BY instance.id DESC
            """;
    }
}
