-- The same where an artwork pairs with its owner only: one index probe an artwork of the pool. A
-- user who owns none has nothing left.
WITH people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
owned AS (
    SELECT
        u.id AS user_id,
        EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
        ) AS seen
    FROM {pool_artworks} AS a
    JOIN people AS u ON {belongs}
    WHERE NOT {is_legacy} OR a.created_at < u.created_at
),
pool AS (
    SELECT o.user_id, count(*) AS artworks, count(*) FILTER (WHERE o.seen) AS seen
    FROM owned AS o
    GROUP BY o.user_id
),
member AS (
    SELECT u.id AS user_id, coalesce(pool.artworks, 0) AS pool, coalesce(pool.seen, 0) AS seen
    FROM people AS u
    LEFT JOIN pool ON pool.user_id = u.id
)
{result}
