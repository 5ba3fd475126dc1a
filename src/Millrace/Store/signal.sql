-- Stores a signal and counts it on the instance's row, which is how a worker that is about to park notices it. A row that
-- somebody holds a lease of, that is suspended or that has not begun is not made ready. Returns nothing where the
-- instance has ended, or where too many or too large signals wait already; where none waits, one of any size is taken.
-- Parameters: bucket, instance, organisation, name, data, how many may wait, the data's bytes, how many bytes may wait.
WITH told AS (
    UPDATE millrace.work
    SET signal_seq   = signal_seq + 1,
        signal_bytes = CASE WHEN signal_seq = signals_taken THEN 0 ELSE signal_bytes END + $7,
        requests     = requests + 1,
        ready_at     = CASE WHEN lease_token IS NULL AND NOT suspended AND started_at IS NOT NULL THEN now() ELSE ready_at END
    WHERE bucket = $1 AND id = $2 AND organisation_id = $3 AND signal_seq - signals_taken < $6
      AND (signal_seq = signals_taken OR signal_bytes + $7 <= $8)
    RETURNING signal_seq
)
INSERT INTO millrace.signal (bucket, instance_id, organisation_id, number, name, data)
SELECT $1, $2, $3, signal_seq, $4, $5
FROM told
RETURNING number;
