-- The signals of an instance after a number, oldest first. Parameters: bucket, instance, number, limit.
SELECT number, name, data
FROM millrace.signal
WHERE bucket = $1 AND instance_id = $2 AND number > $3
ORDER BY number
LIMIT $4;
