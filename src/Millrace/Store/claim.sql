-- Claims ready instances of one bucket, the most urgent first. Parameters: bucket, limit, lease, token, worker.
-- Plan: one range scan of work_ready for each of the ten priorities, which reads due rows only; leased and sleeping
-- rows lie beyond its end. The nested loop stops as soon as the limit is reached, so nothing more is locked.
-- "ready_at < 'infinity'" repeats the index's condition, which the planner cannot derive from now().
-- The select stays in a CTE of its own: joined into the UPDATE directly, its LIMIT may run more than once.
WITH due AS MATERIALIZED (
    SELECT ready.id
    FROM generate_series(0, 9) AS level (priority)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND priority = level.priority AND ready_at <= now() AND ready_at < 'infinity'
        ORDER BY ready_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS ready
    LIMIT $2
), claimed AS (
    UPDATE millrace.work AS work
    SET ready_at    = now() + $3::interval,
        lease_token = $4,
        worker      = $5,
        claims      = claims + 1,
        status      = 1,
        started_at  = coalesce(started_at, now()),
        waiting_on  = NULL
    FROM due
    WHERE work.bucket = $1 AND work.id = due.id
    RETURNING work.id, work.claims, work.started_at, work.cancel_requested, work.cancel_reason, work.snapshot,
              work.suspended, work.signal_seq, work.child_seq
)
SELECT claimed.id, claimed.claims, claimed.started_at, claimed.cancel_requested, claimed.cancel_reason, claimed.snapshot,
       instance.organisation_id, instance.definition_hash, instance.workflow, instance.label, instance.input, instance.variables,
       clock_timestamp() AS now, claimed.suspended, claimed.signal_seq, claimed.child_seq,
       instance.version, instance.priority, instance.parent_id, instance.group_id, instance.place, instance.entry, instance.depth
FROM claimed
JOIN millrace.instance AS instance ON instance.bucket = $1 AND instance.id = claimed.id;
