-- Take over a run whose lease is free: held, or its holder is gone. Changes one row or none; the
-- higher token shuts out whoever still believes to hold it.
UPDATE {state}.run AS r
SET state = 'running', holder = %(holder)s, token = r.token + 1, lease_until = now() + %(lease)s,
    outcome = '', waiting_for = '',
    beyond_breaker = r.beyond_breaker OR %(beyond_breaker)s,
    -- From before runs kept their settings: it has those under which it goes on.
    catalogue = CASE WHEN r.repair IS NULL THEN coalesce(r.catalogue, %(catalogue)s::jsonb) END
WHERE r.id = %(run_id)s
  AND r.state IN ('running', 'held')
  AND (r.state = 'held' OR r.lease_until <= now())
RETURNING r.*, TRUE AS leased
