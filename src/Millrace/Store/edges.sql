-- The oldest and the newest executions of an instance, oldest first, with what a picture shows of them: how many items a
-- forEach had, but no results. Parameters: bucket, instance, organisation, how many of the oldest, how many of the newest.
-- Plan: two scans along the key, from either end. Only the results of forEach nodes are looked into.
WITH edge AS MATERIALIZED (
    (SELECT ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at
     FROM millrace.node_execution
     WHERE bucket = $1 AND instance_id = $2 AND organisation_id = $3
     ORDER BY ordinal
     LIMIT $4)
    UNION ALL
    (SELECT ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at
     FROM millrace.node_execution
     WHERE bucket = $1 AND instance_id = $2 AND organisation_id = $3 AND ordinal >= $4
     ORDER BY ordinal DESC
     LIMIT $5)
)
SELECT path, iteration, attempt, status, started_at, ended_at, error,
       CASE WHEN kind = 'forEach' AND json_typeof(result) = 'array' THEN json_array_length(result) END
FROM edge
ORDER BY ordinal;
