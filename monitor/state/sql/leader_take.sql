-- Take the lead, keep it, or neither: one conditional update decides, on the database's clock
-- alone. The token counts leaders: it rises whenever the lead changes hands, and when our own
-- lease had run out, because somebody could have led in between.
UPDATE {state}.leader AS l
SET holder = %(holder)s,
    token = l.token + (l.holder <> %(holder)s OR l.lease_until <= now())::integer,
    lease_until = now() + %(lease)s
WHERE l.holder = %(holder)s OR l.lease_until <= now()
RETURNING l.token
