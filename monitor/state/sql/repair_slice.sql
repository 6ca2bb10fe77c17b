-- The next frozen keys of a repair, behind the position in its row: a batch sends this along with the
-- statement that locks that row.
SELECT w.position, w.key::text AS key, w.version, w.change::text AS change
FROM {state}.repair_work AS w
WHERE w.run_id = %(run_id)s
  AND w.position > (SELECT r.position FROM {state}.run AS r WHERE r.id = %(run_id)s)
ORDER BY w.position
LIMIT %(limit)s
