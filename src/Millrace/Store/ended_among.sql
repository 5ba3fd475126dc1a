-- Which of some instances of one week have ended. Primary key look-ups; it is asked in that week (see WeekSql).
-- Parameters: bucket, ids, their organisations.
SELECT outcome.id
FROM unnest($2::uuid[], $3::uuid[]) AS asked (id, organisation_id)
JOIN millrace.outcome AS outcome ON outcome.bucket = $1 AND outcome.organisation_id = asked.organisation_id AND outcome.id = asked.id;
