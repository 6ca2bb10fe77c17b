-- The users of a plan for whom it writes the most.
SELECT w.user_id::text AS user_id, w.planned AS rows
FROM (
    {work_list}
) AS w
ORDER BY w.planned DESC, w.position
LIMIT %(limit)s
