-- The recount over the frozen plan: legacy pairs that planned users still have, beyond what the
-- plan left aside, and without those that can't be written.
WITH cte_planned AS {leaf} (
    SELECT w.user_id, w.found, w.planned FROM {state}.work AS w WHERE w.run_id = %(run_id)s
)
SELECT
    coalesce(sum(
        greatest(affected.legacy - coalesce(aside.pairs, 0) - (w.found - w.planned), 0)
    ), 0)::bigint AS remaining
FROM cte_planned AS w
JOIN ({affected_users}) AS affected ON affected.user_id = w.user_id
LEFT JOIN ({unwritable_by_user}) AS aside ON aside.user_id = w.user_id
