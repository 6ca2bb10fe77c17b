-- Pairs that were put aside, the newest first; the run is the one that tried them last.
SELECT
    q.user_id::text AS user_id, q.artwork_id::text AS artwork_id, q.run_id, q.error, q.attempts,
    q.first_at, q.last_at, q.retry_at
FROM {state}.quarantine AS q
WHERE %(run_id)s::bigint IS NULL OR q.run_id = %(run_id)s
ORDER BY q.last_at DESC, q.user_id, q.artwork_id
LIMIT %(limit)s
