-- Who holds idempotency keys. Parameters: bucket, organisations, keys.
-- Plan: OFFSET 0 keeps each look-up inside its loop, by the whole key; the time is asked outside, so that the index of
-- expiries is no way in.
SELECT held.organisation_id, held.key, held.fingerprint, held.instance_id, held.instance_ids
FROM unnest($2::uuid[], $3::text[]) AS asked (organisation_id, key)
CROSS JOIN LATERAL (
    SELECT organisation_id, key, fingerprint, instance_id, instance_ids, expires_at
    FROM millrace.idempotency_key
    WHERE bucket = $1 AND organisation_id = asked.organisation_id AND key = asked.key
    OFFSET 0
) AS held
WHERE held.expires_at >= now();
