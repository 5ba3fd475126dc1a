-- Every table is led by its bucket, the distribution column of a distributed PostgreSQL, and names its organisation.
-- There are no foreign keys between hot tables: rows are written by single statements that keep them in step.
-- Values are json, not jsonb: the order of members and the spelling of numbers are part of a result.

CREATE TABLE millrace.organisation (
    bucket          smallint    NOT NULL,
    organisation_id uuid        NOT NULL,
    name            text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, organisation_id)
);

-- Keys are looked up by their hash alone, so all of them live in bucket 0.
CREATE TABLE millrace.api_key (
    bucket          smallint    NOT NULL,
    hash            bytea       NOT NULL,
    organisation_id uuid        NOT NULL,
    name            text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz,
    PRIMARY KEY (bucket, hash)
);

-- Definitions by content. They, workflows and variables live in the bucket of their organisation's id.
CREATE TABLE millrace.definition (
    bucket          smallint    NOT NULL,
    organisation_id uuid        NOT NULL,
    hash            bytea       NOT NULL,
    document        json        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, organisation_id, hash)
);

CREATE TABLE millrace.workflow (
    bucket          smallint    NOT NULL,
    organisation_id uuid        NOT NULL,
    name            text        NOT NULL,
    version         integer     NOT NULL,
    hash            bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, organisation_id, name, version)
);

CREATE TABLE millrace.variable (
    bucket          smallint    NOT NULL,
    organisation_id uuid        NOT NULL,
    name            text        NOT NULL,
    value           json        NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, organisation_id, name)
);

-- The facts of a start; never updated. Ids are UUIDv7, so ranges of ids are ranges of time.
CREATE TABLE millrace.instance (
    bucket          smallint    NOT NULL,
    id              uuid        NOT NULL,
    organisation_id uuid        NOT NULL,
    definition_hash bytea       NOT NULL,
    workflow        text,
    version         integer,
    label           text,
    priority        smallint    NOT NULL,
    input           json,
    variables       json        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id)
) PARTITION BY RANGE (id);

CREATE INDEX instance_by_organisation ON millrace.instance (bucket, organisation_id, id);
CREATE INDEX instance_by_label ON millrace.instance (bucket, organisation_id, label, id) WHERE label IS NOT NULL;
CREATE INDEX instance_by_workflow ON millrace.instance (bucket, organisation_id, workflow, id) WHERE workflow IS NOT NULL;

-- One row for each live instance. A row can be claimed when ready_at has come; a claim moves ready_at to the end of
-- its lease, a park to the time that is waited for, so neither leased nor sleeping rows are in a claim's way.
CREATE TABLE millrace.work (
    bucket           smallint    NOT NULL,
    id               uuid        NOT NULL,
    organisation_id  uuid        NOT NULL,
    priority         smallint    NOT NULL,
    status           smallint    NOT NULL DEFAULT 0,
    ready_at         timestamptz NOT NULL,
    lease_token      bigint,
    worker           text,
    claims           smallint    NOT NULL DEFAULT 0,
    started_at       timestamptz,
    cancel_requested boolean     NOT NULL DEFAULT false,
    cancel_reason    text,
    snapshot         json,
    waiting_on       json,
    -- The id comes first: with the bucket in front, an estimate that a bucket is small makes all of it look worth reading.
    PRIMARY KEY (id, bucket)
) WITH (
    fillfactor = 70,
    -- Rows here live for seconds: what they leave behind is cleared away early and at full speed.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);

-- Partial, so that only statements about ready_at can use it: a look-up by key must never take it for its own.
CREATE INDEX work_ready ON millrace.work (bucket, priority, ready_at) WHERE ready_at < 'infinity';

-- The history of nodes; append-only.
CREATE TABLE millrace.node_execution (
    bucket          smallint    NOT NULL,
    instance_id     uuid        NOT NULL,
    organisation_id uuid        NOT NULL,
    ordinal         integer     NOT NULL,
    path            text        NOT NULL COLLATE "C",
    iteration       integer     NOT NULL,
    attempt         integer     NOT NULL,
    kind            text        NOT NULL,
    status          smallint    NOT NULL,
    result          json,
    error           json,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz NOT NULL,
    worker          text        NOT NULL,
    PRIMARY KEY (bucket, instance_id, path, iteration, attempt)
) PARTITION BY RANGE (instance_id);

-- One row for each ended instance; append-only.
CREATE TABLE millrace.outcome (
    bucket          smallint    NOT NULL,
    id              uuid        NOT NULL,
    organisation_id uuid        NOT NULL,
    status          smallint    NOT NULL,
    result          json,
    error           json,
    started_at      timestamptz,
    ended_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id)
) PARTITION BY RANGE (id);

CREATE INDEX outcome_by_status ON millrace.outcome (bucket, organisation_id, status, id);

-- A unique key cannot live on a table that is partitioned by id. Each key's bucket is its hash's.
CREATE TABLE millrace.idempotency_key (
    bucket          smallint    NOT NULL,
    organisation_id uuid        NOT NULL,
    key             text        NOT NULL COLLATE "C",
    fingerprint     bytea       NOT NULL,
    instance_id     uuid        NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (bucket, organisation_id, key)
);

CREATE INDEX idempotency_key_expiry ON millrace.idempotency_key (bucket, expires_at);
