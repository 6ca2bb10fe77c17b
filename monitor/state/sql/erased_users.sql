-- Users that our own tables still name and that the app has erased. Those whom the runs `elsewhere`
-- name are users of another table.
WITH known AS MATERIALIZED (
    SELECT b.user_id FROM {state}.backfilled_user AS b
    WHERE b.run_id <> ALL (%(elsewhere)s::bigint[])
    UNION
    SELECT w.user_id FROM {state}.work AS w
    WHERE w.run_id <> ALL (%(elsewhere)s::bigint[])
    UNION
    SELECT r.subject FROM {state}.run AS r
    WHERE r.subject IS NOT NULL AND r.id <> ALL (%(elsewhere)s::bigint[])
),
there AS {leaf} (
    SELECT u.{user_id} AS id
    FROM {users} AS u
    JOIN known AS k ON k.user_id = u.{user_id}
)
SELECT k.user_id::text AS user_id
FROM known AS k
LEFT JOIN there AS u ON u.id = k.user_id
WHERE u.id IS NULL
