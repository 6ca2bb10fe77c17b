-- How many sessions of others wait for any of ours that writes: in this database, under this session's
-- name, with a transaction that has changed something. Who waits for a lock is for everyone to see in
-- pg_locks; only for these few is asked by whom they are blocked, which stops the lock manager for a
-- moment. Our own sessions (whose name no other role's session shows us) and autovacuum's workers,
-- which have no user, are not the app.
SELECT count(*)
FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks AS l WHERE NOT l.granted) AS waiting
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = waiting.pid
WHERE
    a.usesysid IS NOT NULL
    AND (
        starts_with(a.application_name, 'conservator')
        OR a.application_name = nullif(current_setting('application_name'), '')
    ) IS NOT TRUE
    AND pg_blocking_pids(waiting.pid) && ARRAY(
        SELECT o.pid
        FROM pg_catalog.pg_stat_activity AS o
        WHERE
            o.datname = current_database()
            AND o.application_name = current_setting('application_name')
            AND o.backend_xid IS NOT NULL
    )
