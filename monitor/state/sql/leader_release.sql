-- Lay the lead down, if it is still ours, so that the next replica need not wait for the lease.
UPDATE {state}.leader
SET lease_until = now()
WHERE holder = %(holder)s AND token = %(token)s AND lease_until > now()
