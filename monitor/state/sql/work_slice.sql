-- The next users of a run's work list with their planned rows, behind the position in its row: a batch
-- sends this along with the statement that locks that row.
SELECT w.position, w.planned, w.user_id::text AS user_id
FROM {state}.work AS w
WHERE w.run_id = %(run_id)s
  AND w.position > (SELECT r.position FROM {state}.run AS r WHERE r.id = %(run_id)s)
ORDER BY w.position
LIMIT %(limit)s
