-- This tally is the first since the breaker's last reset.
UPDATE {state}.control
SET tally_base_at = %(taken_at)s
WHERE (tally_base_at IS NULL OR tally_base_at < breaker_reset_at)
  AND coalesce(breaker_reset_at, '-infinity') < %(taken_at)s
