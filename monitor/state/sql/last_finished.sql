-- How many seconds ago the last heal run ended, for the cooldown.
SELECT extract(epoch FROM now() - r.finished_at)::float8
FROM {state}.run AS r
WHERE r.kind = 'heal' AND r.finished_at IS NOT NULL
ORDER BY r.finished_at DESC
LIMIT 1
