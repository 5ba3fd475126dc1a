-- Stores a batch of starts in one bucket: a row of facts and a row of work for each, nothing more however large the
-- workflow is. Parameters: bucket, then one array for each column.
WITH incoming AS (
    SELECT *
    FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::text[], $6::integer[], $7::text[], $8::smallint[],
                $9::json[], $10::json[], $11::timestamptz[], $12::interval[])
         AS item (id, organisation_id, definition_hash, workflow, version, label, priority,
                  input, variables, run_at, delay)
), facts AS (
    INSERT INTO millrace.instance
           (bucket, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables)
    SELECT $1, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables
    FROM incoming
)
INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
SELECT $1, id, organisation_id, priority, greatest(coalesce(run_at, now() + delay), now())
FROM incoming;
