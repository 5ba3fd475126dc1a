-- Removes signals and children that nobody will ask for: their instance is neither live nor failed in a way that can be
-- retried, and none of its children lives. Returns how many of the instances that is so of. Parameters: bucket, ids, their organisations.
-- Plan: two look-ups by key for each id, one for each child until one lives, and ranges of the keys of what goes.
WITH dead AS MATERIALIZED (
    SELECT asked.id
    FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, organisation_id)
    WHERE (SELECT true FROM millrace.work WHERE bucket = $1 AND id = asked.id) IS NULL
      AND (SELECT true FROM millrace.outcome
           WHERE bucket = $1 AND organisation_id = asked.organisation_id AND id = asked.id AND snapshot IS NOT NULL) IS NULL
      AND (SELECT true
           FROM millrace.child AS child
           CROSS JOIN LATERAL (SELECT id FROM millrace.work WHERE bucket = $1 AND id = child.child_id OFFSET 0) AS living
           WHERE child.bucket = $1 AND child.parent_id = asked.id
           LIMIT 1) IS NULL
), signals AS (
    DELETE FROM millrace.signal WHERE bucket = $1 AND instance_id = ANY (ARRAY(SELECT id FROM dead))
), children AS (
    DELETE FROM millrace.child WHERE bucket = $1 AND parent_id = ANY (ARRAY(SELECT id FROM dead))
), ends AS (
    DELETE FROM millrace.child_end WHERE bucket = $1 AND parent_id = ANY (ARRAY(SELECT id FROM dead))
), siblings AS (
    DELETE FROM millrace.child_group WHERE bucket = $1 AND parent_id = ANY (ARRAY(SELECT id FROM dead))
)
SELECT count(*)
FROM dead;
