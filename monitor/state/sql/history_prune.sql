-- Results, finished runs and their batches older than the history is kept. The ledger is not
-- touched, and a run stays as long as one row of it does: who undoes it must know what it was.
WITH old_census AS (
    DELETE FROM {state}.census WHERE as_of < now() - %(history)s
),
old_decision AS (
    DELETE FROM {state}.decision WHERE decided_at < now() - %(history)s
),
old_batch AS (
    DELETE FROM {state}.batch AS b
    USING {state}.run AS r
    WHERE r.id = b.run_id
      AND r.finished_at < now() - %(history)s
      AND r.state NOT IN ('running', 'held')
)
DELETE FROM {state}.run AS r
WHERE r.finished_at < now() - %(history)s
  AND r.state NOT IN ('running', 'held')
  -- OFFSET: one probe a run, never a join that reads the whole ledger.
  AND NOT EXISTS (
      SELECT 1 FROM {state}.backfilled_impression AS l WHERE l.run_id = r.id OFFSET 0
  )
