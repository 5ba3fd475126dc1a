-- Suspends an instance. Whoever holds its lease learns of it with the next checkpoint or renewal.
UPDATE millrace.work
SET suspended = true,
    requests  = requests + 1,
    resume_at = CASE WHEN suspended THEN resume_at ELSE ready_at END,
    ready_at  = CASE WHEN lease_token IS NULL THEN 'infinity' ELSE ready_at END,
    status    = CASE WHEN lease_token IS NULL THEN 3 ELSE status END
WHERE bucket = $1 AND id = $2 AND organisation_id = $3 AND NOT cancel_requested
RETURNING lease_token IS NULL;
