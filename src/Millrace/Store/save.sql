-- As progress.sql, and keeps the state, so that whoever takes over a long-lived instance need not fold all of its history.
-- The lease goes on. What waiting signals take is counted anew, as in park.sql.
WITH held AS (
    SELECT work.id, work.lease_token, item.snapshot, item.signals_taken,
           item.mailbox_bytes + CASE
               WHEN work.signal_seq > item.signals_seen THEN (
                   SELECT coalesce(sum(octet_length(data::text)), 0)
                   FROM millrace.signal
                   WHERE bucket = $1 AND instance_id = item.id AND number > item.signals_seen)
               ELSE 0
           END AS signal_bytes
    FROM unnest($2::uuid[], $3::bigint[], $19::json[], $20::bigint[], $21::bigint[], $22::bigint[])
         AS item (id, lease_token, snapshot, signals_seen, signals_taken, mailbox_bytes)
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
SET snapshot = held.snapshot, signals_taken = held.signals_taken, signal_bytes = held.signal_bytes
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, work.lease_token, work.cancel_requested, work.cancel_reason, work.suspended, work.signal_seq, work.child_seq, work.requests;
