-- The last result of every check: moments in Unix seconds for people, and the age of the last
-- evaluation in seconds, which decides about staleness; all on the database's clock.
SELECT
    name, outcome, value, message, interval_seconds, configured_interval_seconds,
    duration_seconds, evidence,
    extract(epoch FROM last_run)::float8 AS last_run,
    extract(epoch FROM last_success)::float8 AS last_success,
    extract(epoch FROM since)::float8 AS since,
    extract(epoch FROM now() - last_success)::float8 AS success_age
FROM {state}.check_status
ORDER BY name
