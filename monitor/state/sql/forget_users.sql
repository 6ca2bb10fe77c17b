-- What our own tables still say of users that the app has erased; the tallies forget by themselves.
-- An ended run needs its cursors no more, and they name users, too.
WITH flags AS (
    DELETE FROM {state}.backfilled_user AS b
    WHERE NOT EXISTS (SELECT 1 FROM {users} AS u WHERE u.{user_id} = b.user_id)
),
listed AS (
    DELETE FROM {state}.work AS w
    WHERE NOT EXISTS (SELECT 1 FROM {users} AS u WHERE u.{user_id} = w.user_id)
)
UPDATE {state}.run AS r
SET user_cursor = NULL, artwork_cursor = NULL,
    subject = CASE WHEN known.here THEN r.subject END
FROM (
    SELECT s.id, EXISTS (SELECT 1 FROM {users} AS u WHERE u.{user_id} = s.subject) AS here
    FROM {state}.run AS s
) AS known
WHERE known.id = r.id
  AND r.state NOT IN ('running', 'held')
  AND (
      r.user_cursor IS NOT NULL
      OR r.artwork_cursor IS NOT NULL
      OR (r.subject IS NOT NULL AND NOT known.here)
  )
