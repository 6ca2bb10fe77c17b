-- The same where an artwork pairs with its owner only: one index probe an artwork of the pool. A
-- user who owns none has nothing left.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_owned AS (
    SELECT
        u.id AS user_id,
        EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
        ) AS seen
    FROM {pool_artworks} AS a
    JOIN cte_people AS u ON {belongs}
    WHERE NOT {is_legacy} OR a.created_at < u.created_at
),
cte_pool AS (
    SELECT o.user_id, count(*) AS artworks, count(*) FILTER (WHERE o.seen) AS seen
    FROM cte_owned AS o
    GROUP BY o.user_id
),
cte_member AS (
    SELECT u.id AS user_id, coalesce(pool.artworks, 0) AS pool, coalesce(pool.seen, 0) AS seen
    FROM cte_people AS u
    LEFT JOIN cte_pool AS pool ON pool.user_id = u.id
)
{result}
