-- Which of some instances have ended. Primary key look-ups.
SELECT outcome.id
FROM unnest($2::uuid[]) AS asked (id)
JOIN millrace.outcome AS outcome ON outcome.bucket = $1 AND outcome.id = asked.id;
