-- The recount over the frozen plan: legacy pairs that planned users still have, beyond what the
-- plan left aside, and without those that can't be written. Full joins, as in plan_recurring.
WITH cte_planned AS {leaf} (
    SELECT w.user_id, w.found, w.planned FROM {state}.work AS w WHERE w.run_id = %(run_id)s
),
cte_affected AS {leaf} (
    {affected_users}
),
cte_aside AS {leaf} (
    {unwritable_by_user}
)
SELECT
    coalesce(sum(
        greatest(affected.legacy - coalesce(aside.pairs, 0) - (w.found - w.planned), 0)
    ), 0)::bigint AS remaining
FROM cte_planned AS w
FULL JOIN cte_affected AS affected ON affected.user_id = w.user_id
FULL JOIN cte_aside AS aside ON aside.user_id = w.user_id
