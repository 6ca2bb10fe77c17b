-- The next users of the work list with their planned rows.
SELECT position, planned
FROM {state}.work
WHERE run_id = %(run_id)s AND position > %(position)s
ORDER BY position
LIMIT %(limit)s
