-- Claims ready instances of one bucket, the most urgent first. Parameters: bucket, limit, lease, seed, worker.
-- The token of each lease is its instance's id hashed with the claim's random seed: no two leases have the same one, so a
-- token alone proves a lease, and later statements need not match ids with tokens pair by pair.
-- A lease that was not given back is taken over. From another worker, that counts against the instance: it may be what kills
-- them. A process that was stopped for so long that it takes over from itself has lost nobody.
-- Plan: one range scan of work_ready for each of the ten priorities, which reads due rows only; sleeping rows and those
-- whose lease was renewed lie beyond its end. The nested loop stops as soon as the limit is reached, so nothing more is
-- locked. No indexed column is changed, so the update leaves the indexes alone.
-- "ready_at < 'infinity'" repeats the index's condition, which the planner cannot derive from now().
-- The plan is kept, so it must be the only one whatever the tables' size: "= ANY" can be nothing but look-ups by the
-- key, in the order of the ids; OFFSET 0 keeps the facts' look-up inside its loop; MATERIALIZED keeps LIMIT from running twice.
WITH due AS MATERIALIZED (
    SELECT ready.id
    FROM generate_series(0, 9) AS level (priority)
    CROSS JOIN LATERAL (
        SELECT id
        FROM millrace.work
        WHERE bucket = $1 AND priority = level.priority AND ready_at <= now() AND ready_at < 'infinity'
          AND (leased_until IS NULL OR leased_until <= now())
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
        claims       = CASE WHEN lease_token IS NOT NULL AND worker = $5 THEN claims ELSE claims + 1 END,
        taken_over   = lease_token IS NOT NULL,
        status       = 1,
        started_at   = coalesce(started_at, now()),
        waiting_on   = NULL
    WHERE bucket = $1 AND id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id, organisation_id, claims, started_at, cancel_requested, cancel_reason, snapshot, suspended, signal_seq, child_seq, lease_token,
              requests, taken_over, fault
)
SELECT claimed.id, claimed.claims, claimed.started_at, claimed.cancel_requested, claimed.cancel_reason, claimed.snapshot,
       facts.organisation_id, facts.definition_hash, facts.workflow, facts.label, facts.input, facts.variables,
       clock_timestamp() AS now, claimed.suspended, claimed.signal_seq, claimed.child_seq,
       facts.version, facts.priority, facts.parent_id, facts.group_id, facts.place, facts.entry, facts.depth, claimed.lease_token,
       claimed.requests, claimed.taken_over, claimed.fault
FROM claimed
CROSS JOIN LATERAL (
    SELECT *
    FROM millrace.instance
    WHERE bucket = $1 AND organisation_id = claimed.organisation_id AND id = claimed.id
    OFFSET 0
) AS facts;
