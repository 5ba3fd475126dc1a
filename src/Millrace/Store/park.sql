-- As progress.sql, for instances that now wait, or are handed back: the lease ends, the snapshot is kept, and the row
-- becomes ready when it is due. A request to cancel, a signal or a child's end that came in between makes it ready at
-- once: FOR NO KEY UPDATE returns the row as it is after its lock was got, and a look at another table would not be
-- repeated then. Returns the parked instances and whether they are ready already.
WITH held AS (
    SELECT work.id, item.due, item.snapshot, item.waiting_on, item.signals_taken,
           CASE
               WHEN work.cancel_requested AND NOT item.cancelling THEN now()
               WHEN work.suspended THEN 'infinity'
               WHEN work.signal_seq > item.signals_seen OR work.child_seq > item.children_seen THEN now()
               ELSE item.due
           END AS ready_at
    FROM unnest($2::uuid[], $3::bigint[], $18::timestamptz[], $19::json[], $20::json[], $21::bigint[], $22::bigint[], $23::bigint[], $24::boolean[])
         AS item (id, lease_token, due, snapshot, waiting_on, signals_seen, signals_taken, children_seen, cancelling)
    CROSS JOIN LATERAL (
        SELECT *
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR NO KEY UPDATE
    ) AS work
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, events, worker)
    SELECT $1, done.*, $17
    FROM unnest($4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::integer[], $9::integer[], $10::text[],
                $11::smallint[], $12::json[], $13::json[], $14::timestamptz[], $15::timestamptz[],
                $16::json[])
         AS done (id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at, events)
    WHERE (done.id IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT DO NOTHING
)
UPDATE millrace.work AS work
SET ready_at      = held.ready_at,
    lease_token   = NULL,
    leased_until  = NULL,
    worker        = NULL,
    claims        = 0,
    status        = CASE WHEN held.ready_at <= now() THEN 0 WHEN work.suspended THEN 3 ELSE 2 END,
    snapshot      = held.snapshot,
    waiting_on    = held.waiting_on,
    signals_taken = held.signals_taken
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, work.ready_at <= now();
