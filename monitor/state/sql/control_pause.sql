-- Nobody writes from here on; every run sees it before its next batch.
UPDATE {state}.control
SET paused = TRUE, paused_reason = %(reason)s, paused_at = coalesce(paused_at, now())
