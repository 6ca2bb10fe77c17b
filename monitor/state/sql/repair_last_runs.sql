-- The newest run of each repair.
SELECT DISTINCT ON (r.repair) r.*, r.lease_until > now() AS leased
FROM {state}.run AS r
WHERE r.repair IS NOT NULL AND r.undoes IS NULL
ORDER BY r.repair, r.id DESC
