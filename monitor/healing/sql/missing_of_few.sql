-- The legacy pairs of few artworks: who misses how many of them is counted, and only who misses any
-- is looked at. The OFFSET keeps the planner from joining the pairs of all with all impressions.
WITH cte_affected AS MATERIALIZED (
    {affected_users}
),
cte_few AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
)
SELECT u.id AS user_id, m.id AS artwork_id, m.created_at
FROM cte_affected AS f
JOIN {counted_users} AS u ON u.id = f.user_id
CROSS JOIN LATERAL (
    SELECT a.id, a.created_at
    FROM cte_few AS a
    WHERE {not_excused}
      AND {is_paired}
      AND NOT EXISTS (
          SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
      )
    OFFSET 0
) AS m
