-- The last result of every check: moments in Unix seconds for people, and the age of the last
-- evaluation in seconds, which decides about staleness; all on the database's clock. The newest
-- transition says since when the outcome has been what it is.
SELECT
    s.name, s.outcome, s.value, s.message, s.interval_seconds, s.configured_interval_seconds,
    s.stale_after_seconds,
    s.duration_seconds, s.evidence, s.numbers,
    extract(epoch FROM s.last_run)::float8 AS last_run,
    extract(epoch FROM s.last_success)::float8 AS last_success,
    extract(epoch FROM t.changed_at)::float8 AS since,
    extract(epoch FROM now() - s.last_success)::float8 AS success_age
FROM {state}.check_status AS s
LEFT JOIN LATERAL (
    SELECT c.changed_at, c.after
    FROM {state}.check_transition AS c
    WHERE c.name = s.name
    ORDER BY c.id DESC
    LIMIT 1
) AS t ON t.after = s.outcome
ORDER BY s.name
