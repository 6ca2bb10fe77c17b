-- Which server this is, as whom we are connected, and whether this database is spread by Citus.
SELECT
    pg_catalog.current_setting('server_version_num')::integer AS server_version,
    current_user::text AS role,
    pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS citus
