-- The same, and which pairs these are, side by side: for few.
WITH cte_affected AS MATERIALIZED (
    {affected_users}
)
SELECT counts.*, pairs.*
FROM (
    SELECT count(*) AS affected, coalesce(sum(f.legacy), 0)::bigint AS legacy
    FROM cte_affected AS f
) AS counts
CROSS JOIN (
    SELECT array_agg(f.user_id::text) AS user_ids, array_agg(m.artwork_id) AS artwork_ids
    FROM cte_affected AS f
    CROSS JOIN LATERAL unnest(f.missing) AS m (artwork_id)
) AS pairs
