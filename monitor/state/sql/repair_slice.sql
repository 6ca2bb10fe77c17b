-- How many of a repair's frozen keys the next batch takes, behind the position in the run's row, and
-- the position of the last: a batch sends this along with the statement that locks that row.
SELECT count(*) AS keys, max(n.position) AS last
FROM (
    SELECT w.position
    FROM {state}.repair_work AS w
    WHERE w.run_id = %(run_id)s
      AND w.position > (SELECT r.position FROM {state}.run AS r WHERE r.id = %(run_id)s)
    ORDER BY w.position
    LIMIT %(limit)s
) AS n
