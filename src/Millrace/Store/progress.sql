-- Stores the executions that ended, for instances that go on, where the lease still holds. Returns those instances and
-- what has been asked of them: to be cancelled, to be suspended, to take in signals and ends. The row locks keep a takeover out until the commit.
-- Parameters: bucket, ids and tokens, then one array for each column of the executions, then the worker.
-- Plan: look-ups by the key, in the order of the ids, which is the order of the locks; "= ANY" leaves no other plan.
-- "IN (…) IS TRUE" is asked of a hash table; without IS TRUE it would become a join, and our sessions have none but
-- nested loops.
WITH held AS (
    SELECT id, cancel_requested, cancel_reason, suspended, signal_seq, child_seq
    FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3)
    FOR NO KEY UPDATE
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, events, worker)
    SELECT $1, done.*, $17
    FROM unnest($4::uuid[], $5::uuid[], $6::integer[], $7::text[], $8::integer[], $9::integer[], $10::text[],
                $11::smallint[], $12::json[], $13::json[], $14::timestamptz[], $15::timestamptz[],
                $16::json[])
         AS done (id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at, events)
    WHERE (done.id IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT DO NOTHING
)
SELECT id, cancel_requested, cancel_reason, suspended, signal_seq, child_seq
FROM held;
