-- What was decided about a repair, with what `find` named last. Another decision than the last one is
-- a row of the history, too.
WITH cte_before AS (
    SELECT s.kind, s.code FROM {state}.repair_status AS s WHERE s.repair = %(repair)s
),
cte_history AS (
    INSERT INTO {state}.repair_decision (repair, decided_at, kind, code, reason)
    SELECT %(repair)s, now(), %(kind)s, %(code)s, %(reason)s
    WHERE NOT EXISTS (
        SELECT 1 FROM cte_before AS b WHERE b.kind = %(kind)s AND b.code = %(code)s
    )
    RETURNING 1
),
cte_kept AS (
    INSERT INTO {state}.repair_status AS s (
        repair, decided_at, kind, code, reason,
        counted_at, named, table_rows, share, seconds, error
    ) VALUES (
        %(repair)s, now(), %(kind)s, %(code)s, %(reason)s,
        now() - make_interval(secs => %(counted_age)s),
        %(named)s, %(table_rows)s, %(share)s, %(seconds)s, %(error)s
    )
    ON CONFLICT (repair) DO UPDATE SET
        decided_at = excluded.decided_at,
        kind = excluded.kind,
        code = excluded.code,
        reason = excluded.reason,
        counted_at = excluded.counted_at,
        named = excluded.named,
        table_rows = excluded.table_rows,
        share = excluded.share,
        seconds = excluded.seconds,
        error = excluded.error
    RETURNING 1
)
SELECT count(*)::int AS others FROM cte_history
