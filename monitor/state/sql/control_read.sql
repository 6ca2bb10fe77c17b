-- The kill switch, the suspension, the last verified cutoff, the breaker, and the last wake.
SELECT paused, paused_reason, paused_at, suspended, suspended_reason, suspended_at,
    verified_until, verified_at,
    breaker_open, breaker_code, breaker_reason, breaker_at, breaker_reset_at, accepted_share,
    woken_at
FROM {state}.control
