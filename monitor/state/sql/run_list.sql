-- The newest runs first.
SELECT r.*, r.lease_until > now() AS leased
FROM {state}.run AS r
WHERE %(before)s::bigint IS NULL OR r.id < %(before)s
ORDER BY r.id DESC
LIMIT %(limit)s
