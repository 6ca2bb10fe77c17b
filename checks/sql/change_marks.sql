-- What PostgreSQL counts about changes of the three tables, and whether every session has reported
-- its share of it. The order matters: whoever had not reported must be seen before the counters are
-- read, so these take the relation's oid through the sessions' row.
WITH sessions AS MATERIALIZED (
    SELECT
        count(*) FILTER (WHERE s.hidden) AS hidden,
        count(*) FILTER (WHERE NOT s.hidden AND NOT s.settled) AS restless
    FROM (
        SELECT
            a.state IS NULL OR a.state = 'disabled' AS hidden,
            coalesce(
                a.state = 'idle'
                    AND a.state_change < clock_timestamp() - make_interval(secs => %(settled_after)s),
                FALSE
            ) AS settled
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = current_database()
            AND a.pid <> pg_backend_pid()
            -- These change no rows of a table.
            AND coalesce(a.backend_type, '')
                NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
            AND a.application_name IS DISTINCT FROM %(spared)s
    ) AS s
)
SELECT
    t.oid::bigint AS oid,
    coalesce(c.relkind = 'r' AND NOT c.relhassubclass AND m.amname = 'heap', FALSE) AS plain,
    coalesce(to_regclass(t.name)::oid = t.oid, FALSE) AS named,
    coalesce(pg_relation_filenode(t.oid)::bigint, 0) AS filenode,
    coalesce(pg_stat_get_tuples_inserted(t.oid), 0) AS inserted,
    coalesce(pg_stat_get_tuples_updated(t.oid), 0) AS updated,
    coalesce(pg_stat_get_tuples_deleted(t.oid), 0) AS deleted,
    t.hidden AS hidden,
    t.restless AS restless,
    pg_backend_pid() AS pid,
    now() AS now,
    pg_postmaster_start_time() AS started_at,
    r.stats_reset AS crashed_at,
    d.stats_reset AS reset_at,
    current_setting('track_counts')::boolean AS counts,
    current_setting('server_version_num')::integer AS server_version,
    to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS spread
FROM (
    SELECT
        CASE WHEN s.hidden >= 0 THEN o.oid END AS oid,
        o.name,
        s.hidden,
        s.restless
    FROM sessions AS s
    CROSS JOIN unnest(%(oids)s::oid[], %(names)s::text[]) AS o (oid, name)
) AS t
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
LEFT JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
CROSS JOIN pg_catalog.pg_stat_archiver AS r
CROSS JOIN pg_catalog.pg_stat_database AS d
WHERE d.datname = current_database()
