-- A claim used to move ready_at, which is indexed, so that it wrote two index entries for each row. Now it notes its end in
-- a column that no index knows, and the row is updated in place where its page has room; that is what the fill factor is
-- for. Only the renewal of a lease moves ready_at, so what is held for long lies beyond the end of a claim's scan.
ALTER TABLE millrace.work
    ADD COLUMN leased_until timestamptz;

ALTER TABLE millrace.work
    SET (fillfactor = 45);

-- Whoever looks an instance up knows whose it is: one index serves the key and the organisation's list.
ALTER TABLE millrace.instance
    DROP CONSTRAINT instance_pkey,
    ADD PRIMARY KEY (bucket, organisation_id, id);

DROP INDEX millrace.instance_by_organisation;

-- Likewise for outcomes. Most of them are completed: those are listed along the key, and only the others have an index by
-- status, so that an ordinary end writes one index entry and not two.
ALTER TABLE millrace.outcome
    DROP CONSTRAINT outcome_pkey,
    ADD PRIMARY KEY (bucket, organisation_id, id);

DROP INDEX millrace.outcome_by_status;

CREATE INDEX outcome_by_status ON millrace.outcome (bucket, organisation_id, status, id) WHERE status <> 4;
