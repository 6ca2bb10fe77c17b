-- The repair stops until a person has looked. One that is open keeps its first reason.
INSERT INTO {state}.repair_control AS c (
    repair, breaker_open, breaker_code, breaker_reason, breaker_at
) VALUES (%(repair)s, TRUE, %(code)s, %(reason)s, now())
ON CONFLICT (repair) DO UPDATE
SET breaker_open = TRUE, breaker_code = excluded.breaker_code,
    breaker_reason = excluded.breaker_reason, breaker_at = excluded.breaker_at
WHERE NOT c.breaker_open
