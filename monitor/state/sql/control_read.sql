-- The kill switch, the suspension, the last verified cutoff, and the breaker.
SELECT paused, paused_reason, paused_at, suspended, suspended_reason, suspended_at,
    verified_until, verified_at,
    breaker_open, breaker_code, breaker_reason, breaker_at, breaker_reset_at, accepted_share
FROM {state}.control
