-- What people have switched, and whether its breaker is open, by repair.
SELECT repair, suspended, suspended_reason, suspended_at,
    breaker_open, breaker_code, breaker_reason, breaker_at, breaker_reset_at, accepted_rows
FROM {state}.repair_control
ORDER BY repair
