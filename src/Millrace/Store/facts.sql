-- The facts of claimed instances that have started in another week than the present one.
-- Parameters: bucket, ids, their organisations. Plan: a look-up by key for each; it is asked in their week (see WeekSql).
SELECT facts.id, facts.organisation_id, facts.definition_hash, facts.workflow, facts.version, facts.label, facts.priority,
       facts.input, facts.variables, facts.parent_id, facts.group_id, facts.place, facts.entry, facts.depth
FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, organisation_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM millrace.instance
    WHERE bucket = $1 AND organisation_id = asked.organisation_id AND id = asked.id
    OFFSET 0
) AS facts;
