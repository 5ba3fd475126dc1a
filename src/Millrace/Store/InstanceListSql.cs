using System.Globalization;
using Millrace.Execution;

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
/// The statement that lists instances. Each bucket gives its newest ones along an index that has the answer's order, and
/// the buckets are merged. The index is the one of the filter that is likely to leave least: a label's; that of failed and
/// cancelled outcomes, which are few; a workflow's; the work table, which has what lives. What else is asked for is looked
/// up by key for each row, and then no more than some thousand rows are looked at for one page, whatever they are: where
/// a bucket was not seen as far as the page goes, the statement also says how far it was.
/// </summary>
internal static class InstanceListSql
{
    /// <summary>The column that says how far a bucket was seen; null in the rows of instances.</summary>
    public const int SeenTo = 15;

    private const string Facts = "id, bucket, definition_hash, workflow, version, label, priority, input, created_at, entry";

    /// <summary>Parameters: organisation, limit, last bucket, id before which to begin, then label and workflow where they are given.</summary>
    /// <param name="filter">What is asked for.</param>
    /// <param name="rowsABucket">How many rows of a bucket are looked at, if not as many as are asked for.</param>
    public static string Of(InstanceFilter filter, int rowsABucket)
    {
        var plan = Plan.Of(filter);
        var rows = string.Create(CultureInfo.InvariantCulture, $"greatest($2, {rowsABucket})");
        // Beyond the last one of a full page nobody asks.
        var seen = plan.Rest.Length == 0 ? "" : $"""

            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, last.id
            FROM generate_series(0, $3) AS place (bucket)
            CROSS JOIN LATERAL ({plan.Looked.Replace(
                "id < $4",
                "id < $4 AND id > (SELECT CASE WHEN count(*) < $2 THEN '00000000-0000-0000-0000-000000000000' ELSE (array_agg(id ORDER BY id))[1] END FROM page)",
                StringComparison.Ordinal)} OFFSET {rows} - 1 LIMIT 1) AS last
            """;
        return $"""
            WITH page AS MATERIALIZED (
                SELECT newest.*
                FROM generate_series(0, $3) AS place (bucket)
                CROSS JOIN LATERAL (
                    SELECT instance.*
                    FROM ({plan.Looked}{(plan.Rest.Length == 0 ? "" : $" LIMIT {rows}")}) AS looked
                    {plan.LookUps}
                    {plan.Rest}
                    ORDER BY looked.id DESC
                    LIMIT $2
                ) AS newest
                ORDER BY newest.id DESC
                LIMIT $2
            )
            SELECT instance.id, instance.definition_hash, instance.workflow, instance.version, instance.label, instance.priority,
                   instance.input, instance.created_at,
                   coalesce(outcome.status, work.status), outcome.result, outcome.error,
                   coalesce(outcome.started_at, work.started_at), outcome.ended_at, work.waiting_on, instance.entry, NULL::uuid
            FROM page AS instance
            LEFT JOIN millrace.work AS work ON work.bucket = instance.bucket AND work.id = instance.id
            LEFT JOIN millrace.outcome AS outcome ON outcome.bucket = instance.bucket AND outcome.organisation_id = $1 AND outcome.id = instance.id{seen}
            """;
    }

    /// <param name="Looked">The rows that are looked at, newest first.</param>
    /// <param name="LookUps">What is looked up for each.</param>
    /// <param name="Rest">What each is still asked for; empty where all of them match.</param>
    private sealed record Plan(string Looked, string LookUps, string Rest)
    {
        private const string InstanceLookUp =
            $"CROSS JOIN LATERAL (SELECT {Facts} FROM millrace.instance WHERE bucket = place.bucket AND organisation_id = $1 AND id = looked.id OFFSET 0) AS instance";

        public static Plan Of(InstanceFilter filter)
        {
            var label = filter.Label is null ? null : "label = $5";
            var workflow = filter.Workflow is null ? null : filter.Label is null ? "workflow = $5" : "workflow = $6";
            return filter.Status switch
            {
                null => ByFacts(label ?? workflow, label is null ? null : workflow, null),
                _ when label is not null => ByFacts(label, workflow, filter.Status),
                InstanceStatus.Failed or InstanceStatus.Cancelled => ByOutcome($" AND status = {(short)filter.Status}", workflow),
                InstanceStatus.Completed when workflow is not null => ByFacts(workflow, null, filter.Status),
                InstanceStatus.Completed => ByOutcome("", $"looked.status = {(short)filter.Status}"),
                _ => ByWork((short)filter.Status, workflow),
            };
        }

        private static Plan ByFacts(string? condition, string? more, InstanceStatus? status) => new(
            $"""
            SELECT {Facts} FROM millrace.instance
            WHERE bucket = place.bucket AND organisation_id = $1 AND id < $4{(condition is null ? "" : $" AND {condition}")}
            ORDER BY id DESC
            """,
            // The facts are there already; the second name costs nothing.
            "CROSS JOIN LATERAL (SELECT looked.*) AS instance" + (status is not { } asked ? "" : $"""

            CROSS JOIN LATERAL (
                SELECT status FROM {(asked.IsEnd() ? "millrace.outcome" : "millrace.work")}
                WHERE bucket = place.bucket{(asked.IsEnd() ? " AND organisation_id = $1" : "")} AND id = looked.id
                OFFSET 0
            ) AS standing
            """),
            Where(more is null ? null : $"looked.{more}", status is null ? null : $"standing.status = {(short)status}"));

        private static Plan ByOutcome(string status, string? more) => new(
            $"SELECT id, status FROM millrace.outcome WHERE bucket = place.bucket AND organisation_id = $1 AND id < $4{status} ORDER BY id DESC",
            InstanceLookUp,
            Where(more is null || more.StartsWith("looked", StringComparison.Ordinal) ? more : $"instance.{more}"));

        // Others' rows are looked at, too: the work table has no index by organisation.
        private static Plan ByWork(short status, string? more) => new(
            "SELECT id, organisation_id, status FROM millrace.work WHERE bucket = place.bucket AND id < $4 ORDER BY id DESC",
            InstanceLookUp,
            Where($"looked.organisation_id = $1 AND looked.status = {status}", more is null ? null : $"instance.{more}"));

        private static string Where(params string?[] conditions) =>
            conditions.OfType<string>().ToList() is { Count: > 0 } given ? $"WHERE {string.Join(" AND ", given)}" : "";
    }
}
