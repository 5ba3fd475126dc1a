-- Removes an ended instance with all that is kept of it. Returns it where its outcome was there to be removed.
WITH gone AS (
    DELETE FROM millrace.outcome
    WHERE bucket = $1 AND id = $2 AND organisation_id = $3
    RETURNING id
), facts AS (
    DELETE FROM millrace.instance WHERE bucket = $1 AND organisation_id = $3 AND id = $2 AND EXISTS (SELECT FROM gone)
), history AS (
    DELETE FROM millrace.node_execution WHERE bucket = $1 AND instance_id = $2 AND EXISTS (SELECT FROM gone)
), signals AS (
    DELETE FROM millrace.signal WHERE bucket = $1 AND instance_id = $2 AND EXISTS (SELECT FROM gone)
), children AS (
    DELETE FROM millrace.child WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM gone)
), ends AS (
    DELETE FROM millrace.child_end WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM gone)
), siblings AS (
    DELETE FROM millrace.child_group WHERE bucket = $1 AND parent_id = $2 AND EXISTS (SELECT FROM gone)
)
SELECT id
FROM gone;
