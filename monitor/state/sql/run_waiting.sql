-- The run waits between two batches: its lease is kept, and what it waits for is there to be read.
UPDATE {state}.run AS r
SET lease_until = now() + %(lease)s, waiting_for = %(waiting_for)s,
    waiting_seconds = r.waiting_seconds + %(waited)s
FROM {state}.control AS c
WHERE r.id = %(run_id)s AND r.token = %(token)s AND r.state = 'running'
RETURNING c.paused, c.paused_reason,
    c.breaker_open AND NOT r.beyond_breaker AND r.undoes IS NULL AS breaker_open, c.breaker_reason
