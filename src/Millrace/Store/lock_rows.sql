-- Locks the rows of all instances that the statements after it write to, in the order of their ids: each of those goes by
-- that order too, but one after the other they do not, and a renewal or another worker's batch that wants the same rows would
-- meet them half-way. Goes first in its transaction. Parameters: bucket, ids, tokens.
-- Plan: look-ups by the key, in its order.
SELECT count(*)
FROM (
    SELECT id
    FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3)
    FOR UPDATE
) AS held;
