-- The newest decision.
SELECT decided_at, kind, code, reason
FROM {state}.decision
ORDER BY decided_at DESC, id DESC
LIMIT 1
