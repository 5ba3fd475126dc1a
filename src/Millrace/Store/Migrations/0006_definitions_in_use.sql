-- The day on which a definition was last known to be in use, give or take: what nothing refers to can be removed some time
-- after it.
ALTER TABLE millrace.definition
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();

CREATE INDEX definition_unused ON millrace.definition (bucket, used_at);
