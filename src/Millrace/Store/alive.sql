-- Forgets the workers that were lost with instances which have come further since: only those that are lost one after the
-- other, with nothing done in between, count against an instance. Parameters: bucket, ids, tokens.
UPDATE millrace.work
SET claims = 1
WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3);
