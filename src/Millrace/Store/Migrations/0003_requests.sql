-- Whatever is decided about an instance is decided on a version of its row. The counter tells two versions apart, whichever
-- kind of request has come in between: a park that was decided before one of them is no longer right after it.
-- taken_over: the lease before this one was not given back, so the history may go beyond the snapshot. fault: why the
-- instance was given back without having come further; it goes with the first thing that is done.
ALTER TABLE millrace.work
    ADD COLUMN requests   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN taken_over boolean NOT NULL DEFAULT false,
    ADD COLUMN fault      json;
