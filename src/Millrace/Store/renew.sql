-- Renews leases and brings back what has been asked of their instances. A lease that is not returned is lost.
-- Parameters: bucket, ids, tokens, lease. Rows are locked in the order of the ids, as by every batch;
-- the caller sorts them.
WITH held AS (
    SELECT work.id
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    CROSS JOIN LATERAL (
        SELECT *
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR NO KEY UPDATE
    ) AS work
)
UPDATE millrace.work AS work
SET ready_at = now() + $4::interval
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, work.cancel_requested, work.cancel_reason, work.suspended, work.signal_seq, work.child_seq;
