-- Removes an ended instance with all that is kept of it. Returns it where its outcome was there to be removed. What its
-- children read to undo what they have done stays until they have ended, see leftovers.sql.
WITH gone AS (
    DELETE FROM millrace.outcome
    WHERE bucket = $1 AND id = $2 AND organisation_id = $3
    RETURNING id
), childless AS (
    SELECT gone.id
    FROM gone
    WHERE (SELECT true
           FROM millrace.child AS child
           CROSS JOIN LATERAL (SELECT id FROM millrace.work WHERE bucket = $1 AND id = child.child_id OFFSET 0) AS living
           WHERE child.bucket = $1 AND child.parent_id = gone.id
           LIMIT 1) IS NULL
), facts AS (
    DELETE FROM millrace.instance WHERE bucket = $1 AND organisation_id = $3 AND id = $2 AND EXISTS (SELECT FROM gone)
), history AS (
    DELETE FROM millrace.node_execution WHERE bucket = $1 AND instance_id = $2 AND EXISTS (SELECT FROM gone)
), signals AS (
    DELETE FROM millrace.signal WHERE bucket = $1 AND instance_id = $2 AND EXISTS (SELECT FROM gone)
), children AS (
    DELETE FROM millrace.child WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM childless)
), ends AS (
    DELETE FROM millrace.child_end WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM childless)
), siblings AS (
    DELETE FROM millrace.child_group WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM childless)
)
SELECT id
FROM gone;
