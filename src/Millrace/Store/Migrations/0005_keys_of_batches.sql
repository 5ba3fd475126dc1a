-- A key belongs to one request: a batch has one row for all its instances, in the order of its items. Until now it had one
-- for each item, under the batch's key, the separator U+001F and the item's place; those are honoured until they expire.
ALTER TABLE millrace.idempotency_key
    ADD COLUMN instance_ids uuid[];

-- From when a number of buckets places keys; null where it did so at once. Processes with a smaller number place keys by
-- that one, and must be gone before.
ALTER TABLE millrace.bucket_count
    ADD COLUMN keys_from timestamptz;
