-- Removes what was kept of the children of parents that end in this transaction; goes before the statement that ends them.
-- Where children still live, who were told of it, their group stays: they need what they share for their own ends, and go
-- with what is left over later. Parameters: bucket, parents, tokens.
WITH held AS (
    SELECT work.id
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND id = item.id AND lease_token = item.lease_token
        FOR UPDATE
    ) AS work
), children AS (
    DELETE FROM millrace.child AS child
    USING held
    WHERE child.bucket = $1 AND child.parent_id = held.id
      AND (SELECT remaining FROM millrace.child_group AS siblings WHERE siblings.bucket = $1 AND siblings.parent_id = held.id AND siblings.group_id = child.group_id) IS NOT DISTINCT FROM 0
), ends AS (
    DELETE FROM millrace.child_end AS ended
    USING held
    WHERE ended.bucket = $1 AND ended.parent_id = held.id
)
DELETE FROM millrace.child_group AS siblings
USING held
WHERE siblings.bucket = $1 AND siblings.parent_id = held.id AND siblings.remaining = 0;
