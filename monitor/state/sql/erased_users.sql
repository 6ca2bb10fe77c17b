-- Users that our own tables still name and that the app has erased. A full join, which can't be a
-- nested loop, whatever is known of our tables.
WITH cte_known AS MATERIALIZED (
    SELECT b.user_id FROM {state}.backfilled_user AS b
    UNION
    SELECT w.user_id FROM {state}.work AS w
    UNION
    SELECT r.subject FROM {state}.run AS r WHERE r.subject IS NOT NULL
),
cte_there AS {leaf} (
    SELECT u.{user_id} AS id
    FROM {users} AS u
    JOIN cte_known AS k ON k.user_id = u.{user_id}
)
SELECT k.user_id::text AS user_id
FROM cte_known AS k
FULL JOIN cte_there AS u ON u.id = k.user_id
WHERE u.id IS NULL
