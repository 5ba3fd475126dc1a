-- Stores the executions that ended, for instances that go on, where the lease still holds. Returns those instances and
-- what has been asked of them: to be cancelled, to be suspended, to take in signals and ends. The row locks keep a takeover out until the commit.
-- Parameters: bucket, ids and tokens, then one array for each column of the executions, then the worker, then the token that
-- each execution was made under. Tokens, and not ids, say whose an execution is: a process that was stopped for a while may
-- send what an old and a new run of one instance have done in the same batch.
-- Plan: look-ups by the key, in the order of the ids, which is the order of the locks; "= ANY" leaves no other plan.
-- "IN (…) IS TRUE" is asked of a hash table; without IS TRUE it would become a join, and our sessions have none but
-- nested loops.
WITH held AS (
    SELECT id, lease_token, cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests
    FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3)
    FOR NO KEY UPDATE
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, events, worker)
    SELECT $1, done.id, done.organisation_id, done.ordinal, done.path, done.iteration, done.attempt, done.kind, done.status,
           done.result, done.error, done.started_at, done.ended_at, done.events, $17
    FROM unnest($4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::integer[], $9::integer[], $10::text[],
                $11::smallint[], $12::json[], $13::json[], $14::timestamptz[], $15::timestamptz[],
                $16::json[], $18::bigint[])
         AS done (id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at, events, lease_token)
    WHERE (done.lease_token IN (SELECT lease_token FROM held)) IS TRUE
    ON CONFLICT DO NOTHING
)
SELECT id, lease_token, cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests
FROM held;
