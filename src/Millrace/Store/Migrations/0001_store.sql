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
    -- Of a child: who waits for it, and as which of a group of children. An item of a spread forEach runs the body of the
    -- node at the path "entry"; what it reads of its surroundings is kept once, with the group.
    parent_id       uuid,
    group_id        uuid,
    place           integer,
    entry           text,
    depth           smallint    NOT NULL DEFAULT 0,
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
    -- A suspended row is never ready; resume_at is when it would have been, had it not been suspended.
    suspended        boolean     NOT NULL DEFAULT false,
    resume_at        timestamptz,
    -- How many signals and ends of children have come. They count on this row, and not in tables of their own, because
    -- a park must notice one that comes in between: only the row itself is looked at again once its lock was got.
    signal_seq       bigint      NOT NULL DEFAULT 0,
    signals_taken    bigint      NOT NULL DEFAULT 0,
    child_seq        bigint      NOT NULL DEFAULT 0,
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

-- The history of nodes; append-only. Within an instance the machine gives no two executions the same path, iteration and
-- attempt; the key is the shorter ordinal, which is also the order of pages and of what is folded into a state.
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
    -- With the first execution of a checkpoint, the events behind it where the executions alone do not tell.
    events          json,
    PRIMARY KEY (bucket, instance_id, ordinal)
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
    -- Of a failed instance: where its failed nodes can be tried again.
    snapshot        json,
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

-- Signals that a snapshot does not contain yet. Here and below the bucket comes last for the same reason as in "work".
CREATE TABLE millrace.signal (
    bucket          smallint    NOT NULL,
    instance_id     uuid        NOT NULL,
    organisation_id uuid        NOT NULL,
    number          bigint      NOT NULL,
    name            text        NOT NULL,
    data            json        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, number, bucket)
);

-- The children that one execution of a node has started, in the bucket of the parent. They go when it ends, except where
-- it fails: then they are what a retry need not do again.
CREATE TABLE millrace.child_group (
    bucket          smallint    NOT NULL,
    parent_id       uuid        NOT NULL,
    group_id        uuid        NOT NULL,
    organisation_id uuid        NOT NULL,
    total           integer     NOT NULL,
    remaining       integer     NOT NULL,
    failed          boolean     NOT NULL DEFAULT false,
    scope           json,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (parent_id, group_id, bucket)
) WITH (fillfactor = 70);

CREATE TABLE millrace.child (
    bucket          smallint    NOT NULL,
    parent_id       uuid        NOT NULL,
    group_id        uuid        NOT NULL,
    place           integer     NOT NULL,
    organisation_id uuid        NOT NULL,
    child_id        uuid        NOT NULL,
    released        boolean     NOT NULL,
    PRIMARY KEY (parent_id, group_id, place, bucket)
);

-- Children that wait for a sibling to end, because only so many may run at once.
CREATE INDEX child_held ON millrace.child (parent_id, group_id, place) WHERE NOT released;

-- The messages that children have ended; append-only.
CREATE TABLE millrace.child_end (
    bucket          smallint    NOT NULL,
    parent_id       uuid        NOT NULL,
    group_id        uuid        NOT NULL,
    place           integer     NOT NULL,
    organisation_id uuid        NOT NULL,
    child_id        uuid        NOT NULL,
    status          smallint    NOT NULL,
    result          json,
    error           json,
    PRIMARY KEY (parent_id, group_id, place, bucket)
);
