-- As start_keyed.sql, for a batch under one key: one row holds it for all its instances, so that either all of them are
-- let in or none. Rows that earlier versions wrote for the items of a batch hold its key just as well.
-- Returns a row where the batch was let in. Parameters: those of start.sql, then key, fingerprint, how long the key is
-- remembered, and until when this bucket places keys.
-- Plan: as in key_items.sql, the time is asked outside, so that the index of expiries is no way in.
WITH holder AS (
    INSERT INTO millrace.idempotency_key AS held (bucket, organisation_id, key, fingerprint, instance_id, instance_ids, expires_at)
    SELECT $1, ($3::uuid[])[1], $13, $14, ($2::uuid[])[1], $2::uuid[], now() + $15::interval
    WHERE now() < $16::timestamptz
      AND NOT EXISTS (
          SELECT FROM (
              SELECT expires_at
              FROM millrace.idempotency_key
              WHERE bucket = $1 AND organisation_id = ($3::uuid[])[1] AND key = $13 || chr(31) || '0'
              OFFSET 0
          ) AS item
          WHERE item.expires_at >= now())
    ON CONFLICT (bucket, organisation_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, instance_id = excluded.instance_id, instance_ids = excluded.instance_ids, expires_at = excluded.expires_at
        WHERE held.expires_at < now()
    RETURNING instance_id
), incoming AS (
    SELECT item.*
    FROM holder
    CROSS JOIN unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::text[], $6::integer[], $7::text[], $8::smallint[],
                      $9::json[], $10::json[], $11::timestamptz[], $12::interval[])
         AS item (id, organisation_id, definition_hash, workflow, version, label, priority,
                  input, variables, run_at, delay)
), facts AS (
    INSERT INTO millrace.instance
           (bucket, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables)
    SELECT $1, id, organisation_id, definition_hash, workflow, version, label, priority, input, variables
    FROM incoming
), begun AS (
    INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
    SELECT $1, id, organisation_id, priority, greatest(coalesce(run_at, now() + delay), now())
    FROM incoming
)
SELECT instance_id
FROM holder;
