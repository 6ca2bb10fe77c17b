-- Which server this is, and as whom we are connected.
SELECT
    pg_catalog.current_setting('server_version_num')::integer AS server_version,
    current_user::text AS role
