-- The batches of a run, in order.
SELECT number, started_at, seconds, users, inserted, size, size_reason
FROM {state}.batch
WHERE run_id = %(run_id)s AND number > %(after)s
ORDER BY number
LIMIT %(limit)s
