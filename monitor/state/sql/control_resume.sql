-- Ends a pause and a suspension.
UPDATE {state}.control
SET paused = FALSE, paused_reason = '', paused_at = NULL,
    suspended = FALSE, suspended_reason = '', suspended_at = NULL
