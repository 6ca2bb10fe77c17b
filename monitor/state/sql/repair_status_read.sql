-- What the leader found last, by repair; how old that is on the database's clock; and the repair's
-- newest run.
SELECT
    s.repair, s.decided_at, s.kind, s.code, s.reason,
    s.counted_at, s.named, s.table_rows, s.share, s.seconds, s.error,
    extract(epoch FROM now() - s.counted_at)::float8 AS counted_age,
    coalesce(l.id, 0) AS newest_run
FROM {state}.repair_status AS s
LEFT JOIN LATERAL (
    SELECT r.id
    FROM {state}.run AS r
    WHERE r.repair = s.repair AND r.undoes IS NULL
    ORDER BY r.id DESC
    LIMIT 1
) AS l ON TRUE
ORDER BY s.repair
