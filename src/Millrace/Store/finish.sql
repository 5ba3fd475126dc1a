-- As progress.sql, for instances that ended: the work row goes and the outcome comes. Returns those whose lease held.
-- None of their executions can be there already: a commit that stored them would have taken the work row with it.
WITH ended AS (
    DELETE FROM millrace.work
    WHERE bucket = $1 AND id = ANY ($2) AND lease_token = ANY ($3)
    RETURNING id, lease_token
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
    WHERE (done.lease_token IN (SELECT lease_token FROM ended)) IS TRUE
), outcomes AS (
    INSERT INTO millrace.outcome (bucket, id, organisation_id, started_at, status, result, error, snapshot)
    SELECT $1, item.id, item.organisation_id, item.started_at, item.status, item.result, item.error, item.snapshot
    FROM unnest($2::uuid[], $3::bigint[], $19::uuid[], $20::timestamptz[], $21::smallint[], $22::json[], $23::json[], $24::json[])
         AS item (id, lease_token, organisation_id, started_at, status, result, error, snapshot)
    WHERE (item.lease_token IN (SELECT lease_token FROM ended)) IS TRUE
)
SELECT id, lease_token
FROM ended;
