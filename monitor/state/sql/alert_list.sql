-- What was told last, newest first.
SELECT a.fingerprint, a.starts_at, a.status, a.name, a.received_at, a.taken_by
FROM {state}.alert AS a
ORDER BY a.received_at DESC, a.fingerprint, a.starts_at, a.status
LIMIT %(limit)s
