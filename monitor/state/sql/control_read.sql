-- The kill switch, the suspension, and the last verified cutoff.
SELECT paused, paused_reason, paused_at, suspended, suspended_reason, suspended_at, verified_until
FROM {state}.control
