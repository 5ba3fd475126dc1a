-- Gives an instance back as it stands, without a snapshot: it may have come further than the last one, so its lease's token
-- stays, from which the next claim sees that it takes something over. It can be claimed again after a pause. Where a fault is
-- the reason, the claim goes on to count against the instance; a process that only stops has lost nothing, but what was
-- counted before it had begun stays so, and one claim is left in any case: processes of the version before see from it, and
-- not from the token, that they take something over.
-- Parameters: bucket, instance, token, pause, fault.
UPDATE millrace.work
SET ready_at     = now() + $4::interval,
    leased_until = now() + $4::interval,
    worker       = NULL,
    claims       = CASE WHEN $5::json IS NULL AND begun THEN least(claims, 1) ELSE claims END,
    fault        = coalesce($5::json, fault),
    status       = CASE WHEN suspended THEN 3 ELSE 0 END
WHERE bucket = $1 AND id = $2 AND lease_token = $3
RETURNING id;
