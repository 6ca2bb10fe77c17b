-- Impressions that undo took back, or a repair deleted, since a moment, and a minute before: a batch that had begun may not have
-- been committed when the tally was taken.
SELECT coalesce(sum(b.inserted), 0)::bigint AS undone
FROM {state}.batch AS b
JOIN {state}.run AS r ON r.id = b.run_id
WHERE (
    r.kind = 'undo'
    OR (r.undoes IS NULL AND (r.repair_plan ->> 'impressions')::boolean)
  )
  AND b.started_at > %(since)s - interval '1 minute'
