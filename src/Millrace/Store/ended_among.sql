-- Which of some instances of one week have ended; it is asked in that week (see WeekSql).
-- Parameters: bucket, ids, their organisations. Plan: OFFSET 0 keeps each look-up inside its loop, by the whole key.
SELECT asked.id
FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, organisation_id)
CROSS JOIN LATERAL (
    SELECT FROM millrace.outcome
    WHERE bucket = $1 AND organisation_id = asked.organisation_id AND id = asked.id
    OFFSET 0
) AS outcome;
