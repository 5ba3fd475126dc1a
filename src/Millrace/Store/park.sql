-- As progress.sql, for instances that now wait, or are handed back: the lease ends, the snapshot is kept, and the row
-- becomes ready when it is due. A request to cancel that came in between makes it ready at once: the expression is evaluated on the row as it
-- is after its lock was got, which a look at another table would not be. Returns the parked instances and whether they
-- are ready already.
WITH held AS (
    SELECT work.id, work.organisation_id
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
UPDATE millrace.work AS work
SET ready_at    = CASE WHEN work.cancel_requested THEN now() ELSE item.due END,
    lease_token = NULL,
    worker      = NULL,
    claims      = 0,
    status      = CASE WHEN work.cancel_requested OR item.due <= now() THEN 0 ELSE 2 END,
    snapshot    = item.snapshot,
    waiting_on  = item.waiting_on
FROM unnest($2::uuid[], $16::timestamptz[], $17::json[], $18::json[]) AS item (id, due, snapshot, waiting_on)
JOIN held ON held.id = item.id
WHERE work.bucket = $1 AND work.id = item.id
RETURNING work.id, work.ready_at <= now();
