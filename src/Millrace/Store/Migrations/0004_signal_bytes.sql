-- How much the signals take that wait to be received, like signal_seq less signals_taken is how many they are. A worker of
-- an earlier version does not count them; the next checkpoint of this one does.
ALTER TABLE millrace.work
    ADD COLUMN signal_bytes bigint NOT NULL DEFAULT 0;
