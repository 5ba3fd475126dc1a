-- Renews leases and brings back what has been asked of their instances. What was given back has its token still, and no worker.
-- A row that somebody has locked is left out, and told from a lost one by held.sql: who waited for it would keep all rows
-- before it from everybody. Parameters: bucket, ids, tokens, lease.
-- Plan: look-ups by the key. Moving ready_at keeps what is held for long out of the claims' way.
WITH free AS MATERIALIZED (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3) AND worker IS NOT NULL
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE millrace.work
SET ready_at = now() + $4::interval, leased_until = now() + $4::interval
WHERE bucket = $1 AND id = ANY (ARRAY(SELECT id FROM free))
RETURNING id, lease_token, cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests;
