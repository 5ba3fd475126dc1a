-- Renews leases and brings back requests to cancel. A lease that is not returned is lost.
-- Parameters: bucket, ids, tokens, lease. Rows are locked in the order of their ids, as every batch does.
WITH held AS (
    SELECT work.id
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    JOIN millrace.work AS work ON work.bucket = $1 AND work.id = item.id AND work.lease_token = item.lease_token
    ORDER BY work.id
    FOR NO KEY UPDATE OF work
)
UPDATE millrace.work AS work
SET ready_at = now() + $4::interval
FROM held
WHERE work.bucket = $1 AND work.id = held.id
RETURNING work.id, work.cancel_requested, work.cancel_reason;
