-- Removes signals that the snapshots of this transaction contain. Parameters: bucket, ids, tokens, numbers.
-- Goes before the statement that ends the leases; rows are locked in the order of the ids, which the caller sorts.
WITH held AS (
    SELECT work.id, item.number
    FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS item (id, lease_token, number)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR NO KEY UPDATE
    ) AS work
)
DELETE FROM millrace.signal AS signal
USING held
WHERE signal.bucket = $1 AND signal.instance_id = held.id AND signal.number <= held.number;
