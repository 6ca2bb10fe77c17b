-- The heal run, repair or undo that is running or held, if there is one.
SELECT r.*, r.lease_until > now() AS leased
FROM {state}.run AS r
WHERE (r.kind IN ('heal', 'undo') OR r.repair IS NOT NULL) AND r.state IN ('running', 'held')
