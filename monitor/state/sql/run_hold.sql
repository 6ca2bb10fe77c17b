-- Put the run down where it is, for anyone to take up.
UPDATE {state}.run
SET state = 'held', outcome = %(outcome)s, lease_until = now(), waiting_for = ''
WHERE id = %(run_id)s AND token = %(token)s AND state = 'running'
