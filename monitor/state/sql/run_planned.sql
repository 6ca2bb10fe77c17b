-- What the work list adds up to.
UPDATE {state}.run AS r
SET planned_users = w.users, planned_rows = w.rows, aside = %(aside)s
FROM (
    SELECT count(*) AS users, coalesce(sum(planned), 0)::bigint AS rows
    FROM {state}.work WHERE run_id = %(run_id)s
) AS w
WHERE r.id = %(run_id)s
RETURNING r.planned_users, r.planned_rows
