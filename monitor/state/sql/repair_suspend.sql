-- A repair starts by itself no more, until a person resumes it.
INSERT INTO {state}.repair_control AS c (repair, suspended, suspended_reason, suspended_at)
VALUES (%(repair)s, TRUE, %(reason)s, now())
ON CONFLICT (repair) DO UPDATE
SET suspended = TRUE, suspended_reason = excluded.suspended_reason,
    suspended_at = coalesce(c.suspended_at, excluded.suspended_at)
