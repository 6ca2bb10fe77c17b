-- The next users of the work list with their planned rows.
SELECT position, planned, user_id::text AS user_id
FROM {state}.work
WHERE run_id = %(run_id)s AND position > %(position)s
ORDER BY position
LIMIT %(limit)s
