-- Forgets the workers that were lost with instances which have come further since: only what happens one after the other,
-- with nothing done in between, counts against an instance. Why it was given back stays with it, for as long as it is not
-- parked: the execution that could not be made counts its tries by itself, whatever others come to meanwhile.
-- Parameters: bucket, ids, tokens.
UPDATE millrace.work
SET claims = 1
WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3);
