-- Hands instances back before their end, so that another worker can have them at once. That claim does not count.
WITH held AS (
    SELECT work.id
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    JOIN millrace.work AS work ON work.bucket = $1 AND work.id = item.id AND work.lease_token = item.lease_token
    ORDER BY work.id
    FOR NO KEY UPDATE OF work
)
UPDATE millrace.work AS work
SET ready_at = now(), lease_token = NULL, worker = NULL, claims = greatest(claims - 1, 0)
FROM held
WHERE work.bucket = $1 AND work.id = held.id;
