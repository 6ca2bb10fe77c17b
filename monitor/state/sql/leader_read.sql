-- Who leads, if anybody does. The lock disturbs nobody; a server that has become read-only
-- refuses it, and a replica that could not lead there must not look healthy.
SELECT CASE WHEN lease_until > now() THEN holder ELSE '' END AS holder
FROM {state}.leader
FOR KEY SHARE
