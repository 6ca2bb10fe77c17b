-- Keep the lease while a rest or the recount takes long.
UPDATE {state}.run AS r
SET lease_until = now() + %(lease)s
WHERE r.id = %(run_id)s AND r.token = %(token)s AND r.state = 'running'
