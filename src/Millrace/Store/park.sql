-- As progress.sql, for instances that now wait, or are handed back: the lease ends, the snapshot is kept, and the row
-- becomes ready when it is due. That was decided on a version of the row; where it has another one by now, because something
-- was asked in between, whatever that is, it becomes ready at once: FOR NO KEY UPDATE returns the row as it is after its lock
-- was got, and a look at another table would not be repeated then. A process of the version before counts signals and ends of
-- children, and not requests. What waiting signals take is counted anew: those in the snapshot, and those that came after it
-- but in that very moment, which the next park counts. Returns the parked instances with their leases' tokens, and whether they are ready already.
WITH held AS (
    SELECT work.id, work.lease_token, item.due, item.snapshot, item.waiting_on, item.signals_taken,
           item.mailbox_bytes + CASE
               WHEN work.signal_seq > item.signals_seen THEN (
                   SELECT coalesce(sum(octet_length(data::text)), 0)
                   FROM millrace.signal
                   WHERE bucket = $1 AND instance_id = item.id AND number > item.signals_seen)
               ELSE 0
           END AS signal_bytes,
           CASE
               WHEN work.cancel_requested AND NOT item.cancelling THEN now()
               WHEN work.suspended THEN 'infinity'
               WHEN work.requests <> item.requests_seen OR work.signal_seq > item.signals_seen OR work.child_seq > item.children_seen THEN now()
               ELSE greatest(item.due, now())
           END AS ready_at
    FROM unnest($2::uuid[], $3::bigint[], $19::timestamptz[], $20::json[], $21::json[], $22::bigint[], $23::bigint[], $24::bigint[], $25::boolean[],
                $26::bigint[], $27::bigint[])
         AS item (id, lease_token, due, snapshot, waiting_on, signals_seen, signals_taken, children_seen, cancelling, requests_seen, mailbox_bytes)
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
    SELECT $1, done.id, done.organisation_id, done.ordinal, done.path, done.iteration, done.attempt, done.kind, done.status,
           done.result, done.error, done.started_at, done.ended_at, done.events, $17
    FROM unnest($4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::integer[], $9::integer[], $10::text[],
                $11::smallint[], $12::json[], $13::json[], $14::timestamptz[], $15::timestamptz[],
                $16::json[], $18::bigint[])
         AS done (id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at, events, lease_token)
    WHERE (done.lease_token IN (SELECT lease_token FROM held)) IS TRUE
    ON CONFLICT DO NOTHING
)
UPDATE millrace.work AS work
SET ready_at      = held.ready_at,
    lease_token   = NULL,
    leased_until  = NULL,
    worker        = NULL,
    claims        = 0,
    fault         = NULL,
    status        = CASE WHEN held.ready_at <= now() THEN 0 WHEN work.suspended THEN 3 ELSE 2 END,
    snapshot      = held.snapshot,
    waiting_on    = held.waiting_on,
    signals_taken = held.signals_taken,
    signal_bytes  = held.signal_bytes
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, held.lease_token, work.ready_at <= now();
