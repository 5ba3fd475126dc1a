-- Locks the rows of all instances that the statements after it write to, in the order of their ids, as lock_rows.sql does, but
-- those of parents and children, too: they may be in the hands of another worker, whose checkpoints want both rows as well.
-- What the statements after it read is as it is once the locks are held. Goes first in its transaction.
-- Parameters: bucket, ids, then parents and groups of children that are told that nobody waits for them.
-- Plan: look-ups by key; the nested loop keeps the order of the sort.
WITH wanted AS MATERIALIZED (
    SELECT id
    FROM unnest($2::uuid[]) AS item (id)
    UNION
    SELECT child.child_id
    FROM unnest($3::uuid[], $4::uuid[]) AS item (parent_id, group_id)
    CROSS JOIN LATERAL (
        SELECT child_id
        FROM millrace.child
        WHERE bucket = $1 AND parent_id = item.parent_id AND group_id = item.group_id
        OFFSET 0
    ) AS child
)
SELECT count(*)
FROM (SELECT id FROM wanted ORDER BY id) AS item
CROSS JOIN LATERAL (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = item.id
    FOR UPDATE
) AS work;
