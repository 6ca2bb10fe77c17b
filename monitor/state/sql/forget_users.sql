-- What our own tables still say of users that the app has erased; the tallies forget by themselves.
-- Those whom the runs `elsewhere` name are users of another table, where nobody has looked.
-- An ended run needs its cursors no more, and they name users, too.
WITH cte_flags AS (
    DELETE FROM {state}.backfilled_user AS b
    WHERE b.user_id = ANY (%(erased)s::text[]::{user_cast}[])
      AND b.run_id <> ALL (%(elsewhere)s::bigint[])
),
cte_listed AS (
    DELETE FROM {state}.work AS w
    WHERE w.user_id = ANY (%(erased)s::text[]::{user_cast}[])
      AND w.run_id <> ALL (%(elsewhere)s::bigint[])
)
UPDATE {state}.run AS r
SET user_cursor = NULL, artwork_cursor = NULL,
    subject = CASE
        WHEN coalesce(r.subject = ANY (%(erased)s::text[]::{user_cast}[]), FALSE) THEN NULL
        ELSE r.subject
    END
WHERE r.state NOT IN ('running', 'held') AND r.id <> ALL (%(elsewhere)s::bigint[])
  AND (
      r.user_cursor IS NOT NULL
      OR r.artwork_cursor IS NOT NULL
      OR r.subject = ANY (%(erased)s::text[]::{user_cast}[])
  )
