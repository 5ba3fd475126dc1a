-- Renews leases and brings back what has been asked of their instances. A lease that is not returned is lost. What was given
-- back has its token still, and no worker. Parameters: bucket, ids, tokens, lease.
-- Plan: look-ups by the key, which lock the rows in the order of the ids, as every batch does. Moving ready_at keeps what is
-- held for long out of the claims' way.
UPDATE millrace.work
SET ready_at = now() + $4::interval, leased_until = now() + $4::interval
WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3) AND worker IS NOT NULL
RETURNING id, lease_token, cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests;
