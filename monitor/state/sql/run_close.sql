-- Ends a run that nobody works on any more, because it is to be taken back, or because the settings
-- are others than those that it was planned under. Changes one row or none:
-- whoever still believes to hold it finds another token.
UPDATE {state}.run
SET state = 'partial', token = token + 1, finished_at = now(), lease_until = now(),
    waiting_for = '', artworks = NULL, outcome = %(outcome)s
WHERE id = %(run_id)s
  AND state IN ('running', 'held')
  AND (state = 'held' OR lease_until <= now())
