-- As progress.sql, for instances that now wait, or are handed back: the lease ends, the snapshot is kept, and the row
-- becomes ready when it is due. A request to cancel that came in between makes it ready at once: the expression is
-- evaluated on the row as it is after its lock was got, which a look at another table would not be. Returns the parked
-- instances and whether they are ready already.
WITH held AS (
    SELECT work.id, item.due, item.snapshot, item.waiting_on
    FROM unnest($2::uuid[], $3::bigint[], $17::timestamptz[], $18::json[], $19::json[])
         AS item (id, lease_token, due, snapshot, waiting_on)
    CROSS JOIN LATERAL (
        SELECT *
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR NO KEY UPDATE
    ) AS work
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, worker)
    SELECT $1, done.*, $16
    FROM unnest($4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::integer[], $9::integer[], $10::text[],
                $11::smallint[], $12::json[], $13::json[], $14::timestamptz[], $15::timestamptz[])
         AS done (id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at)
    WHERE (done.id IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT DO NOTHING
)
UPDATE millrace.work AS work
SET ready_at    = CASE WHEN work.cancel_requested THEN now() ELSE held.due END,
    lease_token = NULL,
    worker      = NULL,
    claims      = 0,
    status      = CASE WHEN work.cancel_requested OR held.due <= now() THEN 0 ELSE 2 END,
    snapshot    = held.snapshot,
    waiting_on  = held.waiting_on
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, work.ready_at <= now();
