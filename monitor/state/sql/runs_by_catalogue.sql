-- The settings that runs were planned under, the tables that they wrote to and whose users they had,
-- and which runs; those without any are left out.
SELECT r.catalogue, r.impressions_oid, r.users_oid, array_agg(r.id) AS runs
FROM {state}.run AS r
WHERE r.catalogue IS NOT NULL
GROUP BY r.catalogue, r.impressions_oid, r.users_oid
