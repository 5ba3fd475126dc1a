-- Claims ready instances of one bucket, the most urgent first.
-- Parameters: bucket, limit, lease, seed, worker, for each of the ten priorities where to begin (see LowWater), and until when
-- none of this worker's own leases can have run out while it keeps them: a process that was stopped with the question in its
-- hand would claim what it is running itself.
-- The token of each lease is its instance's id hashed with the claim's random seed: no two leases have the same one, so a
-- token alone proves a lease, and later statements need not match ids with tokens pair by pair.
-- A lease that was not given back is taken over. From another worker, that counts against the instance: it may be what kills
-- them. A process that was stopped for so long that it takes over from itself has lost nobody, nor has one that gave it back,
-- and what was taken over and has not begun since has taken nobody down. Of what was claimed for the first time nobody knows
-- whether it had begun.
-- Plan: one range scan of work_ready for each of the ten priorities, which reads due rows only; sleeping rows and those
-- whose lease was renewed lie beyond its end, and those that are held and were not renewed yet, or have ended, mostly
-- before its beginning. The nested loop stops as soon as the limit is reached, so nothing more is locked. No indexed
-- column is changed, so the update leaves the indexes alone.
-- "ready_at < 'infinity'" repeats the index's condition, which the planner cannot derive from now().
-- The plan is kept, so it must be the only one whatever the tables' size: "= ANY" can be nothing but look-ups by the
-- key, in the order of the ids; OFFSET 0 keeps the facts' look-up inside its loop; MATERIALIZED keeps LIMIT from running twice.
-- It is asked in the present week (see WeekSql): the facts of what has started in another one are null, and asked for by
-- facts.sql.
WITH due AS MATERIALIZED (
    SELECT ready.id
    FROM unnest($6::timestamptz[]) WITH ORDINALITY AS level (begin, place)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND priority = level.place - 1 AND ready_at >= level.begin AND ready_at <= now() AND ready_at < 'infinity'
          AND (leased_until IS NULL OR leased_until <= now()) AND (worker IS DISTINCT FROM $5 OR now() < $7)
        ORDER BY ready_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS ready
    LIMIT $2
), claimed AS (
    UPDATE millrace.work
    SET leased_until = now() + $3::interval,
        lease_token  = uuid_hash_extended(id, $4),
        worker       = $5,
        claims       = CASE
                           WHEN lease_token IS NOT NULL AND (worker = $5 OR NOT begun OR (worker IS NULL AND fault IS NULL)) THEN greatest(claims, 1)
                           ELSE least(claims, 30000) + 1
                       END,
        taken_over   = lease_token IS NOT NULL,
        begun        = lease_token IS NULL,
        status       = 1,
        started_at   = coalesce(started_at, now()),
        waiting_on   = NULL
    WHERE bucket = $1 AND id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id, organisation_id, priority, ready_at, lease_token, claims, started_at, snapshot, taken_over, fault,
              cancel_requested, cancel_reason, suspended, signal_seq, child_seq, requests
)
SELECT now() AS begun, clock_timestamp() AS now, claimed.*,
       facts.id, facts.organisation_id, facts.definition_hash, facts.workflow, facts.version, facts.label, facts.priority,
       facts.input, facts.variables, facts.parent_id, facts.group_id, facts.place, facts.entry, facts.depth
FROM claimed
LEFT JOIN LATERAL (
    SELECT *
    FROM millrace.instance
    WHERE bucket = $1 AND organisation_id = claimed.organisation_id AND id = claimed.id
    OFFSET 0
) AS facts ON true;
