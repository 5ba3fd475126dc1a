-- Tells parents that children have ended, in the transaction that ends them and before the statement that does: where a
-- child's lease does not hold, nothing is told. A sibling that had to wait takes an ended one's place. A parent is woken
-- when the last of a group has ended, or one has failed. All these rows are locked already, see lock_family.sql.
-- Parameters: bucket, then one array for each column of what ended.
WITH ended AS (
    INSERT INTO millrace.child_end (bucket, parent_id, group_id, place, organisation_id, child_id, status, result, error)
    SELECT $1, item.parent_id, item.group_id, item.place, siblings.organisation_id, item.id, item.status, item.result, item.error
    FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::integer[], $7::smallint[], $8::json[], $9::json[])
         AS item (id, lease_token, parent_id, group_id, place, status, result, error)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        OFFSET 0
    ) AS held
    CROSS JOIN LATERAL (
        -- A parent that has ended has taken its groups with it.
        SELECT organisation_id
        FROM millrace.child_group
        WHERE bucket = $1 AND parent_id = item.parent_id AND group_id = item.group_id
        OFFSET 0
    ) AS siblings
    ON CONFLICT DO NOTHING
    RETURNING parent_id, group_id, status
), counted AS (
    UPDATE millrace.child_group AS siblings
    SET remaining = siblings.remaining - item.ended, failed = siblings.failed OR item.failed
    FROM (
        SELECT parent_id, group_id, count(*)::integer AS ended, bool_or(status <> 4) AS failed
        FROM ended
        GROUP BY parent_id, group_id
    ) AS item
    WHERE siblings.bucket = $1 AND siblings.parent_id = item.parent_id AND siblings.group_id = item.group_id
    RETURNING siblings.parent_id, siblings.group_id, siblings.remaining, siblings.failed, item.ended
), next AS (
    SELECT waiting.*
    FROM counted
    CROSS JOIN LATERAL (
        SELECT child.parent_id, child.group_id, child.place
        FROM millrace.child AS child
        WHERE child.bucket = $1 AND child.parent_id = counted.parent_id AND child.group_id = counted.group_id AND NOT child.released
        ORDER BY child.place
        LIMIT counted.ended
    ) AS waiting
    WHERE NOT counted.failed
), released AS (
    UPDATE millrace.child AS child
    SET released = true
    FROM next
    WHERE child.bucket = $1 AND child.parent_id = next.parent_id AND child.group_id = next.group_id AND child.place = next.place
    RETURNING child.child_id
), begun AS (
    UPDATE millrace.work AS work
    -- One that is suspended begins when it is resumed.
    SET ready_at  = CASE WHEN work.suspended THEN work.ready_at ELSE now() END,
        resume_at = CASE WHEN work.suspended THEN now() ELSE work.resume_at END
    FROM released
    WHERE work.bucket = $1 AND work.id = released.child_id AND work.lease_token IS NULL
)
UPDATE millrace.work AS parent
SET child_seq = child_seq + 1,
    requests  = requests + 1,
    ready_at  = CASE WHEN parent.lease_token IS NULL AND NOT parent.suspended THEN now() ELSE parent.ready_at END
FROM (SELECT DISTINCT parent_id FROM counted WHERE remaining = 0 OR failed) AS done
WHERE parent.bucket = $1 AND parent.id = done.parent_id
RETURNING parent.id;
