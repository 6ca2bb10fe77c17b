-- A plan's work list, to be walked while nothing is written, or to be written down.
SELECT w.position, w.found, w.planned, w.user_id::text AS user_id
FROM (
    {work_list}
) AS w
ORDER BY w.position
