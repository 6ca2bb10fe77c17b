-- Keep the lease while waiting between batches; says whether anybody has paused.
UPDATE {state}.run AS r
SET lease_until = now() + %(lease)s
FROM {state}.control AS c
WHERE r.id = %(run_id)s AND r.token = %(token)s AND r.state = 'running'
RETURNING c.paused, c.paused_reason
