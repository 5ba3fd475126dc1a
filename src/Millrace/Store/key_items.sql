-- What earlier versions wrote for the items of a batch under a key: one row each, by place.
-- Parameters: bucket, organisation, the batch's key.
-- Plan: one range of the key's index; the time is asked outside, so that the index of expiries is no way in.
SELECT item.key, item.fingerprint, item.instance_id
FROM (
    SELECT key, fingerprint, instance_id, expires_at
    FROM millrace.idempotency_key
    WHERE bucket = $1 AND organisation_id = $2 AND key > $3 || chr(31) AND key < $3 || chr(32)
    OFFSET 0
) AS item
WHERE item.expires_at >= now();
