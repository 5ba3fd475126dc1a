-- What the receipts of SQL nodes are authenticated with: whoever shares a database with them can read and write their
-- table, but neither guess the key of a receipt that is still to come nor put a seal on a result. Random UUIDs have 122
-- random bits each.
CREATE TABLE millrace.receipt_secret (
    only_one    boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    secret      bytea       NOT NULL,
    keyed_since timestamptz NOT NULL
);

-- Processes of an earlier version know receipts by their effect's id alone, and may work beside newer ones for the length
-- of a deployment. So keys are secret only for instances that begin a day from now; in a store that is made right now, for all.
INSERT INTO millrace.receipt_secret (secret, keyed_since)
SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
       CASE WHEN EXISTS (SELECT FROM millrace.migration WHERE applied_at < now()) THEN now() + interval '1 day' ELSE '-infinity' END;
