-- Asks for an instance to be cancelled. Whoever holds its lease learns of it with the next checkpoint or renewal; where
-- nobody does, it becomes ready, suspended or given back for a while or not, and the next claim cancels it. The first
-- reason stays.
UPDATE millrace.work
SET cancel_requested = true,
    cancel_reason    = CASE WHEN cancel_requested THEN cancel_reason ELSE $4 END,
    suspended        = false,
    requests         = requests + 1,
    ready_at         = CASE WHEN worker IS NULL THEN now() ELSE ready_at END,
    leased_until     = CASE WHEN worker IS NULL THEN NULL ELSE leased_until END
WHERE bucket = $1 AND id = $2 AND organisation_id = $3
RETURNING worker IS NULL;
