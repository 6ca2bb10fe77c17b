-- The recount over the frozen plan: legacy pairs that planned users still have, beyond what the
-- plan left aside.
SELECT coalesce(sum(greatest(affected.legacy - (w.found - w.planned), 0)), 0)::bigint AS remaining
FROM {state}.work AS w
JOIN ({affected_users}) AS affected ON affected.user_id = w.user_id
WHERE w.run_id = %(run_id)s
