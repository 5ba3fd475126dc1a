-- As start.sql, for starts with an idempotency key: the key's row decides. A key that another start holds lets nothing
-- in; the caller then reads who holds it. Returns the ids that were let in. Keys are distinct within a batch.
-- An expired key is taken over, so that a late cleaning changes nothing. Once this bucket does not place keys any more
-- ($16), nothing is let in.
-- Plan: "IN … IS TRUE" is a hash of the accepted ids; a join of two sets without an index would go through one of them for
-- each row of the other.
WITH incoming AS (
    SELECT *
    FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::text[], $6::integer[], $7::text[], $8::smallint[],
                $9::json[], $10::json[], $11::timestamptz[], $12::interval[], $13::text[], $14::bytea[])
         AS item (id, organisation_id, definition_hash, workflow, version, label, priority,
                  input, variables, run_at, delay, key, fingerprint)
), holder AS (
    INSERT INTO millrace.idempotency_key AS held (bucket, organisation_id, key, fingerprint, instance_id, expires_at)
    SELECT $1, organisation_id, key, fingerprint, id, now() + $15::interval
    FROM incoming
    WHERE now() < $16::timestamptz
    ORDER BY organisation_id, key
    ON CONFLICT (bucket, organisation_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, instance_id = excluded.instance_id, instance_ids = NULL, expires_at = excluded.expires_at
        WHERE held.expires_at < now()
    RETURNING instance_id
), accepted AS (
    SELECT *
    FROM incoming
    WHERE (id IN (SELECT instance_id FROM holder)) IS TRUE
), facts AS (
    INSERT INTO millrace.instance
           (bucket, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables)
    SELECT $1, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables
    FROM accepted
)
INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
SELECT $1, id, organisation_id, priority, greatest(coalesce(run_at, now() + delay), now())
FROM accepted
RETURNING id;
