-- Whether this process leads, as the last word of a transaction: until it has committed, the lock
-- keeps everybody else from taking the lead.
SELECT token
FROM {state}.leader
WHERE holder = %(holder)s AND token = %(token)s AND lease_until > clock_timestamp()
FOR SHARE
