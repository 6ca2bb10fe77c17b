-- The settings that runs were planned under, the table that they wrote to, and which runs; those
-- without any are left out.
SELECT r.catalogue, r.impressions_oid, array_agg(r.id) AS runs
FROM {state}.run AS r
WHERE r.catalogue IS NOT NULL
GROUP BY r.catalogue, r.impressions_oid
