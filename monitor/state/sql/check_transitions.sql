-- How the outcome of a check changed, newest first.
SELECT
    t.changed_at, t.before, t.after, t.value, t.message
FROM {state}.check_transition AS t
WHERE t.name = %(name)s
ORDER BY t.id DESC
LIMIT %(limit)s
