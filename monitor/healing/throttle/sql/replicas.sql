-- The standbys, and how far behind each is. Without pg_monitor everything but the process id and
-- the names is NULL, the state too: such a row stays, as one that can't be judged.
-- Left out: logical subscribers, which confirm when they like and serve none of the app's reads
-- (all have a slot, and slots are for everyone to see); base backups and walsenders that are just
-- starting or stopping (by their state); and archivers such as pg_receivewal, which report what
-- they wrote and never replay.
SELECT
    r.application_name AS name, host(r.client_addr) AS address, r.pid,
    r.state IS NOT NULL AS readable,
    extract(epoch FROM r.replay_lag)::float8 AS lag_seconds,
    greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn))::bigint AS lag_bytes,
    r.replay_lsn IS NOT NULL AS reported,
    quote_ident(current_user) AS role
FROM pg_catalog.pg_stat_replication AS r
WHERE coalesce(r.state, 'streaming') IN ('streaming', 'catchup')
  AND (r.replay_lsn IS NOT NULL OR r.write_lsn IS NULL)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_replication_slots AS s
      WHERE s.active_pid = r.pid AND s.slot_type = 'logical'
  )
ORDER BY r.pid
