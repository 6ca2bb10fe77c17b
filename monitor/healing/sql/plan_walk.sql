-- A plan's work list, to be walked while nothing is written.
SELECT w.position, w.planned, w.user_id::text AS user_id
FROM (
    {work_list}
) AS w
ORDER BY w.position
