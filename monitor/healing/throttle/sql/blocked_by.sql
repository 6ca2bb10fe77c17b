-- How many sessions of others wait for any that writes a batch. Those are told by a lock that nobody else
-- takes, on our runs or our ledger, whoever is connected under whatever name: which session a batch has
-- been given, it is told too late. Log-ins take one more, on the users' flags. Who waits for a lock is
-- for everyone to see in pg_locks; only for these few is asked by whom they are blocked, which stops the
-- lock manager for a moment. Our own sessions (whose name no other role's session shows us) and
-- autovacuum's workers, which have no user, are not the app.
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
        FROM pg_catalog.pg_locks AS o
            JOIN pg_catalog.pg_database AS d ON d.oid = o.database
            JOIN pg_catalog.pg_class AS c ON c.oid = o.relation
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE
            o.granted
            AND o.mode IN ('RowShareLock', 'RowExclusiveLock')
            AND d.datname = current_database()
            AND n.nspname = %(state)s
            AND c.relname IN ('run', 'backfilled_impression', 'backfilled_user')
        GROUP BY o.pid
        HAVING NOT bool_or(c.relname = 'backfilled_user')
    )
