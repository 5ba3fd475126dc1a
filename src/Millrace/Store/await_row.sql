-- Waits for the row of a lease while somebody has it locked, for as long as the transaction's lock_timeout allows.
-- Parameters: bucket, id, token. Plan: a look-up by the key.
SELECT count(*)
FROM (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = $2 AND lease_token = $3
    FOR NO KEY UPDATE
) AS awaited;
