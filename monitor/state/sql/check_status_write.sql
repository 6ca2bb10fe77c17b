-- The last result of a check, for every replica. Moments come as ages in seconds, because only the
-- database's clock is everybody's.
INSERT INTO {state}.check_status AS s (
    name, outcome, value, message, interval_seconds, configured_interval_seconds,
    stale_after_seconds, duration_seconds, last_run, last_success, evidence, numbers
) VALUES (
    %(name)s, %(outcome)s, %(value)s, %(message)s, %(interval_seconds)s,
    %(configured_interval_seconds)s, %(stale_after_seconds)s, %(duration_seconds)s,
    now() - make_interval(secs => %(run_age)s), now() - make_interval(secs => %(success_age)s),
    %(evidence)s::jsonb, %(numbers)s::jsonb
)
ON CONFLICT (name) DO UPDATE SET
    outcome = excluded.outcome,
    value = excluded.value,
    message = excluded.message,
    interval_seconds = excluded.interval_seconds,
    configured_interval_seconds = excluded.configured_interval_seconds,
    stale_after_seconds = excluded.stale_after_seconds,
    duration_seconds = excluded.duration_seconds,
    last_run = excluded.last_run,
    last_success = excluded.last_success,
    evidence = excluded.evidence,
    numbers = excluded.numbers
