-- The newest results of a check, newest first.
SELECT
    r.taken_at, r.outcome, r.value, r.seconds
FROM {state}.check_result AS r
WHERE r.name = %(name)s
ORDER BY r.taken_at DESC
LIMIT %(limit)s
