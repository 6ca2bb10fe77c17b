-- Legacy pairs that appeared behind the last verified heal: bound with its cutoff instead of
-- today's, and only of users that had been enrolled when it was planned, and so were healed. Who
-- joined since has all old artworks before him, which is nobody's fault. The artworks that merely
-- aged since are younger than that cutoff. What is put aside could never be written. Full joins,
-- which can't be nested loops: for who was enrolled just now the statistics of our own tables may
-- promise a single row, and the affected users would be counted once for each of them.
WITH cte_enrolled AS {leaf} (
    SELECT DISTINCT ON (t.user_id) t.user_id, t.impressions
    FROM {state}.tally_user AS t
    WHERE t.taken_at <= %(verified_at)s
    ORDER BY t.user_id, t.taken_at DESC
),
cte_affected AS {leaf} (
    {affected_users}
),
cte_aside AS {leaf} (
    {unwritable_by_user}
)
SELECT
    coalesce(sum(greatest(affected.legacy - coalesce(aside.pairs, 0), 0)) FILTER (
        WHERE enrolled.impressions > 0
    ), 0)::bigint AS pairs
FROM cte_affected AS affected
FULL JOIN cte_enrolled AS enrolled ON enrolled.user_id = affected.user_id
FULL JOIN cte_aside AS aside ON aside.user_id = affected.user_id
