-- The executions of an instance from an ordinal on. Parameters: bucket, instance, organisation, ordinal, limit.
SELECT ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at, worker, events
FROM millrace.node_execution
WHERE bucket = $1 AND instance_id = $2 AND organisation_id = $3 AND ordinal >= $4
ORDER BY ordinal
LIMIT $5;
