-- The breaker opens, unless it is open already: the first reason stays until a person has looked.
UPDATE {state}.control
SET breaker_open = TRUE, breaker_code = %(code)s, breaker_reason = %(reason)s,
    breaker_at = clock_timestamp()
WHERE NOT breaker_open
