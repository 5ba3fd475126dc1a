-- Who holds idempotency keys. Primary key look-ups, one for each key.
SELECT held.organisation_id, held.key, held.fingerprint, held.instance_id
FROM unnest($2::uuid[], $3::text[]) AS asked (organisation_id, key)
JOIN millrace.idempotency_key AS held
  ON held.bucket = $1 AND held.organisation_id = asked.organisation_id AND held.key = asked.key
WHERE held.expires_at >= now();
