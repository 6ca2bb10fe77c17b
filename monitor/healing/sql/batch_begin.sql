-- Opens a batch; or gives it its turn to be committed, where others are written at the same time. The
-- run's row is locked, and must still be ours and running. The clock is read here once and bound
-- into what follows. Nobody writes while paused. Where no index keeps two runs
-- from writing a pair each, the switches' row is locked, too: one batch at a time.
SELECT
    r.position, r.artwork_cursor, r.user_cursor, r.inserted, r.batches,
    c.paused, c.paused_reason,
    c.breaker_open AND NOT r.beyond_breaker AS breaker_open, c.breaker_reason,
    now() AS now,
    EXISTS (SELECT 1 FROM {state}.quarantine) AS quarantine,
    ({types_as_read}) AS types_as_read,
    -- What fires for an impression, as of now: of the table and, where it is partitioned, of each
    -- part; a part's clone of the table's own has its name.
    ARRAY(
        SELECT DISTINCT t.tgname::text
        FROM pg_catalog.pg_trigger AS t
        WHERE (
            t.tgrelid = %(impressions)s::oid
            OR t.tgrelid IN (
                SELECT p.relid
                FROM pg_catalog.pg_partition_tree(%(impressions)s::oid::pg_catalog.regclass) AS p
            )
        )
          AND NOT t.tgisinternal
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & {fires}) <> 0 -- 4: TRIGGER_TYPE_INSERT, 16: TRIGGER_TYPE_UPDATE
        ORDER BY 1
    ) AS triggers
FROM {state}.run AS r
CROSS JOIN {state}.control AS c
WHERE r.id = %(run_id)s AND r.token = %(token)s AND r.state = 'running'
FOR UPDATE OF {locked}
