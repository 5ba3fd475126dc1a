-- As progress.sql, for instances that ended: the work row goes and the outcome comes. Returns those whose lease held.
WITH held AS (
    SELECT work.id, work.organisation_id, work.started_at
    FROM unnest($2::uuid[], $3::bigint[]) AS item (id, lease_token)
    JOIN millrace.work AS work ON work.bucket = $1 AND work.id = item.id AND work.lease_token = item.lease_token
    ORDER BY work.id
    FOR UPDATE OF work
), history AS (
    INSERT INTO millrace.node_execution
           (bucket, instance_id, organisation_id, ordinal, path, iteration, attempt, kind, status, result, error,
            started_at, ended_at, worker)
    SELECT $1, held.id, held.organisation_id, done.ordinal, done.path, done.iteration, done.attempt, done.kind,
           done.status, done.result, done.error, done.started_at, done.ended_at, $15
    FROM unnest($4::uuid[], $5::integer[], $6::text[], $7::integer[], $8::integer[], $9::text[], $10::smallint[],
                $11::json[], $12::json[], $13::timestamptz[], $14::timestamptz[])
         AS done (id, ordinal, path, iteration, attempt, kind, status, result, error, started_at, ended_at)
    JOIN held ON held.id = done.id
    ON CONFLICT DO NOTHING
), ended AS (
    DELETE FROM millrace.work AS work
    USING held
    WHERE work.bucket = $1 AND work.id = held.id
    RETURNING work.id
), outcomes AS (
    INSERT INTO millrace.outcome (bucket, id, organisation_id, status, result, error, started_at)
    SELECT $1, held.id, held.organisation_id, item.status, item.result, item.error, held.started_at
    FROM unnest($2::uuid[], $16::smallint[], $17::json[], $18::json[]) AS item (id, status, result, error)
    JOIN held ON held.id = item.id
)
SELECT id
FROM ended;
