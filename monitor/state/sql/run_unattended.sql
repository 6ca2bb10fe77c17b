-- Runs that write, that are not at their end, and on which nobody works.
SELECT r.*, FALSE AS leased
FROM {state}.run AS r
WHERE r.undoes IS NULL
  AND r.state IN ('running', 'held')
  AND (r.state = 'held' OR r.lease_until <= now())
ORDER BY r.id
