-- Finished runs older than the history is kept.
SELECT r.id
FROM {state}.run AS r
WHERE r.finished_at < now() - %(history)s AND r.state NOT IN ('running', 'held')
