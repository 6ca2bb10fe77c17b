-- The primary: what time it is, how far it has written, and which server it is.
SELECT
    now() AS now,
    pg_catalog.pg_current_wal_lsn()::text AS lsn,
    c.system_identifier AS system,
    pg_catalog.pg_postmaster_start_time() AS started_at
FROM pg_catalog.pg_control_system() AS c
