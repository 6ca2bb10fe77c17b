-- A person has looked: closed, whatever was before is judged no more, and the share is accepted.
UPDATE {state}.control
SET breaker_open = FALSE, breaker_code = '', breaker_reason = '', breaker_at = NULL,
    breaker_reset_at = clock_timestamp(), accepted_share = %(accepted_share)s
WHERE breaker_open
