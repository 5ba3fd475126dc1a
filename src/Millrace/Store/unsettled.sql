-- Of some instances, those whose receipts may still be asked for: they go on, or have failed and can be retried; with the
-- executions of theirs that need no receipt any more, because they are in the history.
-- Parameters: bucket, ids, paths, organisations of the ids, iterations. An instance that has none of them is returned once, with nulls.
-- Plan: a look-up by key for each id, and one scan of its own history for each that goes on.
SELECT asked.id, done.path, done.iteration
FROM unnest($2::uuid[], $4::uuid[]) AS asked (id, organisation_id)
LEFT JOIN LATERAL (
    SELECT path, iteration
    FROM millrace.node_execution
    WHERE bucket = $1 AND instance_id = asked.id AND path = ANY ($3) AND iteration = ANY ($5) AND kind = 'sql' AND status = 0
) AS done ON true
WHERE EXISTS (SELECT FROM millrace.work WHERE bucket = $1 AND id = asked.id)
   OR EXISTS (SELECT FROM millrace.outcome WHERE bucket = $1 AND organisation_id = asked.organisation_id AND id = asked.id AND snapshot IS NOT NULL);
