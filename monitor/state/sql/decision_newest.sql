-- The newest decision about healing.
SELECT decided_at, kind, code, reason
FROM {state}.decision
WHERE repair IS NULL
ORDER BY decided_at DESC, id DESC
LIMIT 1
