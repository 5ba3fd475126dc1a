-- Whether whoever holds the lease has begun to run the instance. A worker that is lost counts against what it had begun, and
-- not against all that it had in hand. Where a worker of an earlier version has claimed it, nobody knows, and it counts.
ALTER TABLE millrace.work
    ADD COLUMN begun boolean NOT NULL DEFAULT true;
