namespace Millrace.Store;

/// <summary>The statements of <see cref="Retention"/>, which name partitions.</summary>
internal static class RetentionSql
{
    /// <summary>How many instances are carried over at the most.</summary>
    public const int MostCarried = 500;

    /// <summary>The error of a week that has become another case since it was looked at: somebody has retried a failed instance.</summary>
    public const string LivesAfterAll = "MR001";

    /// <summary>Drops a week's partitions.</summary>
    public static string Drop(PartitionSpan span) => $"""
        {Each(table => $"ALTER TABLE millrace.{table} DETACH PARTITION {span.Name(table)};")}
        IF EXISTS (SELECT FROM millrace.work WHERE {Range(span)}) THEN
            RAISE EXCEPTION 'something lives in it again' USING ERRCODE = '{LivesAfterAll}';
        END IF;
        {Each(table => $"DROP TABLE {span.Name(table)};")}
        """;

    /// <summary>Carries what lives of a week over to a holder, and drops the week's partitions.</summary>
    public static string Carry(PartitionSpan span, PartitionSpan holder, bool detach) => $"""
        {Each(table => $"ALTER TABLE millrace.{table} DETACH PARTITION {span.Name(table)};")}
        {(detach ? Each(table => $"ALTER TABLE millrace.{table} DETACH PARTITION {holder.Name(table)};") : "")}
        IF (SELECT count(*) FROM (SELECT FROM millrace.work WHERE {Range(span)} LIMIT {MostCarried + 1}) AS living) > {MostCarried} THEN
            RAISE EXCEPTION 'more of it lives again' USING ERRCODE = '{LivesAfterAll}';
        END IF;
        INSERT INTO {holder.Name("instance")} SELECT old.* {Living("instance", "id", span)};
        INSERT INTO {holder.Name("node_execution")} SELECT old.* {Living("node_execution", "instance_id", span)};
        {Each(table => $"ALTER TABLE millrace.{table} ATTACH PARTITION {holder.Name(table)} FOR VALUES FROM ('{holder.From}') TO ('{span.To}');")}
        {Each(table => $"DROP TABLE {span.Name(table)};")}
        """;

    private static string Each(Func<string, string> statement) => string.Join('\n', Partitions.Tables.Select(statement));

    private static string Range(PartitionSpan span) => $"id >= '{span.From}' AND id < '{span.To}'";

    /// <summary>The rows of what lives: look-ups by its keys, of which there are few.</summary>
    public static string Living(string table, string column, PartitionSpan span) => $"""
        FROM (SELECT bucket, id, organisation_id FROM millrace.work WHERE {Range(span)}) AS living
        CROSS JOIN LATERAL (
            SELECT * FROM {span.Name(table)}
            WHERE bucket = living.bucket AND {(column == "id" ? "organisation_id = living.organisation_id AND " : "")}{column} = living.id
            OFFSET 0
        ) AS old
        """;

    /// <summary>
    /// Deletes some of what has ended, and returns how far it came. What somebody is just retrying is left out. The key goes
    /// on from batch to batch, past what was deleted before. Parameters: bucket, organisation, id, limit.
    /// </summary>
    public static string Thin(PartitionSpan span) => $"""
        WITH ended AS MATERIALIZED (
            SELECT organisation_id, id
            FROM {span.Name("outcome")}
            WHERE bucket = $1 AND (organisation_id, id) > ($2, $3)
            ORDER BY organisation_id, id
            LIMIT $4
            FOR UPDATE SKIP LOCKED
        ), facts AS (
            DELETE FROM {span.Name("instance")} AS gone USING ended
            WHERE gone.bucket = $1 AND gone.organisation_id = ended.organisation_id AND gone.id = ended.id
        ), history AS (
            DELETE FROM {span.Name("node_execution")} AS gone USING ended
            WHERE gone.bucket = $1 AND gone.instance_id = ended.id
        ), outcomes AS (
            DELETE FROM {span.Name("outcome")} AS gone USING ended
            WHERE gone.bucket = $1 AND gone.organisation_id = ended.organisation_id AND gone.id = ended.id
        )
        SELECT organisation_id, id, count(*) OVER ()
        FROM ended
        ORDER BY organisation_id DESC, id DESC
        LIMIT 1
        """;
}
