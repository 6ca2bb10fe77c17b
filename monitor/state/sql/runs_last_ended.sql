-- The last heal runs that ended since the breaker's reset: did they leave less than they found? Those
-- that were ended where they stood (`run_close`) counted nothing, and say nothing about healing.
SELECT r.id, r.legacy_before, r.legacy_after, r.remaining, r.quarantined, r.inserted
FROM {state}.run AS r
WHERE r.kind = 'heal'
  AND NOT (r.state = 'partial' AND r.legacy_after IS NULL)
  AND r.finished_at > coalesce((SELECT breaker_reset_at FROM {state}.control), '-infinity')
ORDER BY r.finished_at DESC, r.id DESC
LIMIT %(limit)s
