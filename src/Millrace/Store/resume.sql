-- Ends a suspension. An instance that has begun is looked at at once, since what it waits for may have come; one that has
-- not begins when it was to begin.
UPDATE millrace.work
SET suspended = false,
    requests  = requests + 1,
    ready_at  = CASE
                    WHEN worker IS NOT NULL THEN ready_at
                    WHEN started_at IS NULL THEN greatest(resume_at, now())
                    ELSE now()
                END,
    leased_until = CASE WHEN worker IS NULL THEN NULL ELSE leased_until END,
    resume_at = NULL,
    status    = CASE WHEN worker IS NULL THEN 0 ELSE status END
WHERE bucket = $1 AND id = $2 AND organisation_id = $3 AND suspended
RETURNING worker IS NULL;
