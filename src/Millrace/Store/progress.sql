-- Stores the executions that ended, for instances that go on, where the lease still holds. Returns those instances and
-- whether somebody asked for them to be cancelled. The row locks keep a takeover out until the commit.
-- Parameters: bucket, ids and tokens, then one array for each column of the executions, then the worker.
WITH held AS (
    SELECT work.id, work.organisation_id, work.cancel_requested, work.cancel_reason
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    JOIN millrace.work AS work ON work.bucket = $1 AND work.id = item.id AND work.lease_token = item.lease_token
    ORDER BY work.id
    FOR NO KEY UPDATE OF work
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, worker)
    SELECT $1, held.id, held.organisation_id, done.ordinal, done.path, done.iteration, done.attempt, done.kind,
           done.status, done.result, done.error, done.started_at, done.ended_at, $15
    FROM unnest($4::uuid[], $5::integer[], $6::text[], $7::integer[], $8::integer[], $9::text[], $10::smallint[],
                $11::json[], $12::json[], $13::timestamptz[], $14::timestamptz[])
         AS done (id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at)
    JOIN held ON held.id = done.id
    ON CONFLICT DO NOTHING
)
SELECT id, cancel_requested, cancel_reason
FROM held;
