-- What was said to the first pair that a run has put aside.
SELECT error FROM {state}.quarantine WHERE run_id = %(run_id)s ORDER BY last_at LIMIT 1
