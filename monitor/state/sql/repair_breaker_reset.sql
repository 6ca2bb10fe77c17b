-- A person has looked: the breaker of a repair closes, and what was before is judged no more.
UPDATE {state}.repair_control
SET breaker_open = FALSE, breaker_code = '', breaker_reason = '', breaker_at = NULL,
    breaker_reset_at = now(), accepted_rows = %(accepted_rows)s
WHERE repair = %(repair)s AND breaker_open
