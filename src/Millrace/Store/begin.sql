-- Notes that an instance which was taken over begins to run, so that it counts if its worker is lost. Returns nothing where the
-- lease is lost. Parameters: bucket, instance, token.
UPDATE millrace.work
SET begun = true
WHERE bucket = $1 AND id = $2 AND lease_token = $3 AND worker IS NOT NULL
RETURNING id;
