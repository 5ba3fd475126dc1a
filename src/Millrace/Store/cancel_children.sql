-- Asks for children to be cancelled that their parents no longer wait for, in the transaction of the parents' checkpoint
-- and before the statement that may end their leases. Returns the children. All these rows are locked already, see
-- lock_family.sql. Parameters: bucket, parents, tokens, groups.
WITH unwanted AS MATERIALIZED (
    -- Those that have ended have no work row, and drop out below.
    SELECT child.child_id
    FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS item (id, lease_token, group_id)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        OFFSET 0
    ) AS held
    CROSS JOIN LATERAL (
        SELECT child_id
        FROM millrace.child
        WHERE bucket = $1 AND parent_id = held.id AND group_id = item.group_id
        OFFSET 0
    ) AS child
)
UPDATE millrace.work AS work
SET cancel_requested = true,
    cancel_reason    = CASE WHEN cancel_requested THEN cancel_reason ELSE 'nobody waits for it any more' END,
    suspended        = false,
    requests         = requests + 1,
    ready_at         = CASE WHEN worker IS NULL THEN now() ELSE ready_at END,
    leased_until     = CASE WHEN worker IS NULL THEN NULL ELSE leased_until END
FROM unwanted
WHERE work.bucket = $1 AND work.id = unwanted.child_id
RETURNING work.id;
