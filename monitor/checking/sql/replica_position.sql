-- The server that checks read: whether it follows, and how far it has replayed the primary.
SELECT
    r.in_recovery,
    c.system_identifier AS system,
    pg_catalog.pg_postmaster_start_time() AS started_at,
    coalesce(r.replayed >= %(lsn)s::text::pg_lsn, FALSE) AS caught_up,
    coalesce(pg_catalog.pg_wal_lsn_diff(%(lsn)s::text::pg_lsn, r.replayed), 0)::bigint
        AS bytes_behind,
    -- Asking a server that is not in recovery is an error.
    CASE WHEN r.in_recovery THEN pg_catalog.pg_is_wal_replay_paused() ELSE FALSE END AS paused
FROM
    (
        SELECT
            pg_catalog.pg_is_in_recovery() AS in_recovery,
            pg_catalog.pg_last_wal_replay_lsn() AS replayed
    ) AS r,
    pg_catalog.pg_control_system() AS c
