-- The last heal runs that ended since the breaker's reset: did they leave less than they found?
SELECT r.id, r.legacy_before, r.legacy_after, r.remaining, r.quarantined
FROM {state}.run AS r
WHERE r.kind = 'heal'
  AND r.finished_at > coalesce((SELECT breaker_reset_at FROM {state}.control), '-infinity')
ORDER BY r.finished_at DESC, r.id DESC
LIMIT %(limit)s
