-- One instance with its standing. Three primary key look-ups; it is asked in the instance's week (see WeekSql).
SELECT instance.id, instance.definition_hash, instance.workflow, instance.version, instance.label, instance.priority,
       instance.input, instance.created_at,
       coalesce(outcome.status, work.status) AS status, outcome.result, outcome.error,
       coalesce(outcome.started_at, work.started_at) AS started_at, outcome.ended_at, work.waiting_on, instance.entry
FROM millrace.instance AS instance
LEFT JOIN millrace.work AS work ON work.bucket = $1 AND work.id = $2
LEFT JOIN millrace.outcome AS outcome ON outcome.bucket = $1 AND outcome.organisation_id = $3 AND outcome.id = $2
WHERE instance.bucket = $1 AND instance.id = $2 AND instance.organisation_id = $3;
