-- Pairs that need no healing any more: seen or healed meanwhile, user or artwork gone or no longer
-- counted. A full join, which can't be a nested loop, whatever is known of our table.
WITH cte_aside AS MATERIALIZED (
    SELECT q.user_id, q.artwork_id FROM {state}.quarantine AS q
),
cte_legacy AS MATERIALIZED (
    SELECT p.user_id, p.artwork_id
    FROM (
        {quarantined_pairs}
    ) AS p
)
SELECT q.user_id::text AS user_id, q.artwork_id::text AS artwork_id
FROM cte_aside AS q
FULL JOIN cte_legacy AS p ON p.user_id = q.user_id AND p.artwork_id = q.artwork_id
WHERE p.user_id IS NULL
