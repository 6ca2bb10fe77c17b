-- One run, with whether its lease still holds by the database's clock.
SELECT r.*, r.lease_until > now() AS leased FROM {state}.run AS r WHERE r.id = %(run_id)s
