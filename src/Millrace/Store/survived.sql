-- Takes back that a worker was lost with instances: it lives, and was only too late to renew its leases, as happens to all of
-- them on a machine that has too much to do. Parameters: bucket, instances in the order of their ids, worker.
-- What it has taken over again itself did not count.
UPDATE millrace.work
SET claims = claims - 1
WHERE bucket = $1 AND id = ANY ($2) AND claims > 1 AND worker <> $3;
