-- Ends the suspension of a repair.
UPDATE {state}.repair_control
SET suspended = FALSE, suspended_reason = '', suspended_at = NULL
WHERE repair = %(repair)s AND suspended
