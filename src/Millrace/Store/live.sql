-- What rebuilds the state of a live instance. Parameters: bucket, instance, organisation. Plan: a look-up by key in each
-- table; it is asked in the instance's week (see WeekSql).
SELECT work.snapshot, work.started_at, instance.workflow, instance.label, instance.input, instance.variables,
       instance.parent_id, instance.group_id, instance.place, instance.entry
FROM millrace.work AS work
JOIN millrace.instance AS instance ON instance.bucket = $1 AND instance.organisation_id = $3 AND instance.id = $2
WHERE work.bucket = $1 AND work.id = $2 AND work.organisation_id = $3;
