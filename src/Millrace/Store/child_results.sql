-- The results of a group of children in order, or only how large they are together where that is more than a limit: then
-- none of them is sent. Parameters: bucket, parent, group, bytes.
-- Returns the size with each row; the place is null where no result comes along.
-- Plan: two scans of the group's range of the primary key. OFFSET 0 keeps the sum out of the second one, and the
-- question whether it is too large inside it, so that it is not begun then.
SELECT size.bytes, size.count, ended.place, ended.result
FROM (
    SELECT coalesce(sum(octet_length(result::text)), 0)::bigint AS bytes, count(*) AS count
    FROM millrace.child_end
    WHERE bucket = $1 AND parent_id = $2 AND group_id = $3
    OFFSET 0
) AS size
LEFT JOIN LATERAL (
    SELECT place, result
    FROM millrace.child_end
    WHERE bucket = $1 AND parent_id = $2 AND group_id = $3 AND size.bytes <= $4
    OFFSET 0
) AS ended ON true
ORDER BY ended.place;
