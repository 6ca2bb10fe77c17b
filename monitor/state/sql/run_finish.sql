-- The end of a run.
UPDATE {state}.run
SET state = %(state)s, outcome = %(outcome)s, finished_at = now(), lease_until = now(),
    remaining = %(remaining)s, legacy_after = %(legacy_after)s, waiting_for = '', artworks = NULL
WHERE id = %(run_id)s AND token = %(token)s AND state = 'running'
