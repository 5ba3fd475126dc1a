-- Closes keys in the bucket that placed them until lately, so that no start that is still under way there can take them:
-- each gets a row that holds it for nobody, and is expired for everybody who comes later. A row that somebody writes just
-- now is waited for. Returns the keys that nobody holds; the caller then looks who holds the others.
-- Parameters: bucket, organisations, keys, and the time until which this bucket placed keys.
INSERT INTO millrace.idempotency_key AS held (bucket, organisation_id, key, fingerprint, instance_id, expires_at)
SELECT $1, asked.organisation_id, asked.key, ''::bytea, '00000000-0000-0000-0000-000000000000'::uuid, greatest(now(), $4::timestamptz)
FROM unnest($2::uuid[], $3::text[]) AS asked (organisation_id, key)
ORDER BY asked.organisation_id, asked.key
ON CONFLICT (bucket, organisation_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, instance_id = excluded.instance_id, instance_ids = NULL, expires_at = excluded.expires_at
    WHERE held.expires_at < now()
RETURNING organisation_id, key;
