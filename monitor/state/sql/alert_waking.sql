-- When a replica other than this one last took an alert that wakes the loop. Of a day: an older one
-- has been answered by the censuses since. Null: none did.
SELECT max(a.received_at) AS received_at
FROM {state}.alert AS a
WHERE a.received_at > now() - interval '1 day'
  AND a.status = 'firing'
  AND a.name = %(name)s
  AND a.taken_by <> %(taken_by)s
