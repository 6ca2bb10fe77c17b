-- The last runs of a repair that started by themselves and ended since its breaker's reset: did they
-- leave less than they found? Those that were ended where they stood (`run_close`) counted nothing.
SELECT
    r.id, r.planned_rows AS legacy_before, r.remaining AS legacy_after, r.remaining,
    0 AS quarantined, r.inserted
FROM {state}.run AS r
WHERE r.undoes IS NULL AND r.trigger = 'schedule' AND r.repair = %(repair)s
  AND NOT (r.state = 'partial' AND r.remaining IS NULL)
  AND r.finished_at > coalesce(
      (SELECT c.breaker_reset_at FROM {state}.repair_control AS c WHERE c.repair = %(repair)s),
      '-infinity'
  )
ORDER BY r.id DESC
LIMIT %(limit)s
