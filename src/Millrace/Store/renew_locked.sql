-- As renew.sql, for rows that somebody had locked: waits for them, in the order in which everybody locks rows, for as long as
-- the transaction's lock_timeout allows. Parameters: bucket, ids, tokens, lease. Plan: look-ups by the key.
WITH free AS MATERIALIZED (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3) AND worker IS NOT NULL
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE millrace.work
SET ready_at = now() + $4::interval, leased_until = now() + $4::interval
WHERE bucket = $1 AND id = ANY (ARRAY(SELECT id FROM free))
RETURNING id, lease_token, cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests;
