-- The Citus extension of this database, and which of its nodes this is: 0 is the coordinator.
SELECT e.extversion::text AS version, g.groupid AS "group"
FROM pg_catalog.pg_extension AS e
CROSS JOIN pg_catalog.pg_dist_local_group AS g
WHERE e.extname = 'citus'
