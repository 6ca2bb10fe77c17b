-- When the last heal run ended, for the cooldown, and how many seconds ago that is.
SELECT r.id, r.state, r.finished_at, extract(epoch FROM now() - r.finished_at)::float8 AS seconds_ago
FROM {state}.run AS r
WHERE r.kind = 'heal' AND r.finished_at IS NOT NULL
ORDER BY r.finished_at DESC
LIMIT 1
