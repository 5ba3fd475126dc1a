-- Of some leases, those that hold, without waiting for anybody. Parameters: bucket, ids, tokens. Plan: look-ups by the key.
SELECT id, lease_token
FROM millrace.work
WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3) AND worker IS NOT NULL;
