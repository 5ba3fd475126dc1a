-- Asks for children to be cancelled that their parents no longer wait for, in the transaction of the parents' checkpoint
-- and before the statement that may end their leases. Returns the children.
-- Parameters: bucket, parents, tokens, groups; parents in the order of their ids.
WITH held AS (
    SELECT work.id, item.group_id
    FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS item (id, lease_token, group_id)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR NO KEY UPDATE
    ) AS work
), unwanted AS (
    -- Those that have ended have no work row, and drop out below.
    SELECT child.child_id
    FROM held
    CROSS JOIN LATERAL (
        SELECT child_id
        FROM millrace.child
        WHERE bucket = $1 AND parent_id = held.id AND group_id = held.group_id
    ) AS child
    ORDER BY child.child_id
), locked AS (
    SELECT work.id
    FROM unwanted
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = unwanted.child_id
        FOR NO KEY UPDATE
    ) AS work
)
UPDATE millrace.work AS work
SET cancel_requested = true,
    cancel_reason    = CASE WHEN cancel_requested THEN cancel_reason ELSE 'nobody waits for it any more' END,
    suspended        = false,
    requests         = requests + 1,
    ready_at         = CASE WHEN lease_token IS NULL THEN now() ELSE ready_at END
FROM locked
WHERE work.bucket = $1 AND work.id = locked.id
RETURNING work.id;
