-- When the next instance of a bucket can be claimed, in seconds from now; null where there is none. And the time.
-- What is held is left out: a lease that runs out is found by the next look.
-- Plan: the first entry of work_ready for each priority.
SELECT extract(epoch FROM min(first.ready_at) - clock_timestamp())::double precision, clock_timestamp() AS now
FROM generate_series(0, 9) AS level (priority)
CROSS JOIN LATERAL (
    SELECT ready_at
    FROM millrace.work
    WHERE bucket = $1 AND priority = level.priority AND ready_at < 'infinity'
      AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY ready_at
    LIMIT 1
) AS first;
