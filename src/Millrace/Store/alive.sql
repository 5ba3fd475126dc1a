-- Forgets the workers that were lost with instances which have come further since, and why they were given back: only what
-- happens one after the other, with nothing done in between, counts against an instance. Parameters: bucket, ids, tokens.
UPDATE millrace.work
SET claims = 1, fault = NULL
WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3);
