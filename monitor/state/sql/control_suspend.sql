-- Automatic healing is off from here on; runs by hand work.
UPDATE {state}.control
SET suspended = TRUE, suspended_reason = %(reason)s, suspended_at = coalesce(suspended_at, now())
