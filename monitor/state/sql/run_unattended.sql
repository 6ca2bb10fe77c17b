-- Runs that write, that are not at their end, and on which nobody works.
SELECT r.*, FALSE AS leased
FROM {state}.run AS r
WHERE r.kind <> 'undo'
  AND r.state IN ('running', 'held')
  AND (r.state = 'held' OR r.lease_until <= now())
ORDER BY r.id
