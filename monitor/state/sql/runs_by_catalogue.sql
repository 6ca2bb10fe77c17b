-- The settings that runs were planned under, and which runs; those without any are left out.
SELECT r.catalogue, array_agg(r.id) AS runs
FROM {state}.run AS r
WHERE r.catalogue IS NOT NULL
GROUP BY r.catalogue
