-- Forgets the workers that were lost with instances which have come further since: only those that are lost one after the
-- other, with nothing done in between, count against an instance. Parameters: bucket, ids, tokens, sorted by id.
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
SET claims = 1
FROM held
WHERE work.bucket = $1 AND work.id = held.id;
