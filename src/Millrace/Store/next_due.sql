-- When the next instance of a bucket can be claimed, in seconds from now; null where there is none. And the time, when the
-- transaction began, and how long the search took.
-- What is held is left out: a lease that runs out is found by a later look.
-- Parameters: bucket, and for each of the ten priorities where to begin (see LowWater). Plan: the first entry of work_ready
-- for each priority. All buckets are asked in one round trip, but each by a statement that names it alone, as a
-- distributed PostgreSQL wants it.
SELECT extract(epoch FROM min(first.ready_at) - clock_timestamp())::double precision, clock_timestamp() AS now, now() AS begun,
       clock_timestamp() - statement_timestamp() AS took
FROM unnest($2::timestamptz[]) WITH ORDINALITY AS level (begin, place)
CROSS JOIN LATERAL (
    SELECT ready_at
    FROM millrace.work
    WHERE bucket = $1 AND priority = level.place - 1 AND ready_at >= level.begin AND ready_at < 'infinity'
      AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY ready_at
    LIMIT 1
) AS first;
