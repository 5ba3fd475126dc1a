-- Starts the children of one execution, once: the group's row decides. Only the holder of the parent's lease can.
-- Children of an earlier group that have completed are taken over with their results. Where only so many may run at once,
-- the others are ready when a sibling has ended.
-- Parameters: bucket, parent, organisation, token, group, scope, limit, earlier group, then what all children have in
-- common (definition, workflow, version, priority, variables, entry, depth, whether somebody waits), then ids and inputs.
WITH held AS (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = $2 AND lease_token = $4
    FOR NO KEY UPDATE
), incoming AS (
    SELECT item.place::integer - 1 AS place, item.id, item.input, earlier.child_id AS kept, earlier.result,
           row_number() OVER (PARTITION BY earlier.child_id IS NULL ORDER BY item.place) <= $7 AS released
    FROM unnest($17::uuid[], $18::json[]) WITH ORDINALITY AS item (id, input, place)
    LEFT JOIN LATERAL (
        -- OFFSET 0 keeps each look-up inside its loop: one child each, and not all of the earlier group for each.
        SELECT child_id, result, status
        FROM millrace.child_end
        WHERE bucket = $1 AND parent_id = $2 AND group_id = $8 AND place = item.place::integer - 1
        OFFSET 0
    ) AS earlier ON earlier.status = 4
), fresh AS (
    INSERT INTO millrace.child_group (bucket, parent_id, group_id, organisation_id, total, remaining, scope)
    -- Nobody counts those that nobody waits for.
    SELECT $1, held.id, $5, $3, counted.total, CASE WHEN $16 THEN counted.remaining ELSE 0 END, $6
    FROM held
    CROSS JOIN (SELECT count(*) AS total, count(*) FILTER (WHERE kept IS NULL) AS remaining FROM incoming) AS counted
    ON CONFLICT DO NOTHING
    RETURNING group_id
), children AS (
    INSERT INTO millrace.child (bucket, parent_id, group_id, place, organisation_id, child_id, released)
    SELECT $1, $2, $5, place, $3, coalesce(kept, id), kept IS NOT NULL OR released
    FROM incoming
    CROSS JOIN fresh
), ends AS (
    INSERT INTO millrace.child_end (bucket, parent_id, group_id, place, organisation_id, child_id, status, result)
    SELECT $1, $2, $5, place, $3, kept, 4, result
    FROM incoming
    CROSS JOIN fresh
    WHERE kept IS NOT NULL
), facts AS (
    INSERT INTO millrace.instance
           (bucket, id, organisation_id, definition_hash, workflow, version, priority, input, variables, parent_id, group_id, place, entry, depth)
    SELECT $1, id, $3, $9, $10, $11, $12, input, $13, CASE WHEN $16 THEN $2::uuid END, CASE WHEN $16 THEN $5::uuid END, CASE WHEN $16 THEN place END, $14, $15
    FROM incoming
    CROSS JOIN fresh
    WHERE kept IS NULL
), begun AS (
    INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
    SELECT $1, id, $3, $12, CASE WHEN released THEN now() ELSE 'infinity' END
    FROM incoming
    CROSS JOIN fresh
    WHERE kept IS NULL
)
UPDATE millrace.work AS parent
SET child_seq = child_seq + 1
FROM fresh
WHERE parent.bucket = $1 AND parent.id = $2
RETURNING child_seq;
