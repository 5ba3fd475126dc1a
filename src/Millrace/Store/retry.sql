-- Lets a failed instance go on: its outcome goes and its work comes back, with the state that the caller has made of the
-- snapshot it has read. Parameters: bucket, instance, organisation, the outcome's end, the state, the last signal.
-- A signal that came in the moment of the failure may not be in the state: it was accepted, and is read now.
WITH gone AS (
    DELETE FROM millrace.outcome
    WHERE bucket = $1 AND id = $2 AND organisation_id = $3 AND status = 5 AND snapshot IS NOT NULL AND ended_at = $4
    RETURNING started_at
)
INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at, started_at, snapshot, signal_seq, signals_taken, child_seq)
SELECT $1, $2, $3, instance.priority, now(), gone.started_at, $5,
       greatest($6, (SELECT max(number) FROM millrace.signal WHERE bucket = $1 AND instance_id = $2)), $6,
       CASE WHEN EXISTS (SELECT FROM millrace.child_group WHERE bucket = $1 AND parent_id = $2) THEN 1 ELSE 0 END
FROM gone
JOIN millrace.instance AS instance ON instance.bucket = $1 AND instance.organisation_id = $3 AND instance.id = $2
RETURNING id;
