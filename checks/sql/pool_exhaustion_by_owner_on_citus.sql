-- The same on Citus: which artworks of the pools were shown is found where the impressions are.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_counted AS MATERIALIZED (
    SELECT a.* FROM {pool_artworks} AS a
),
cte_owned AS MATERIALIZED (
    SELECT a.id, u.id AS user_id
    FROM cte_counted AS a
    JOIN cte_people AS u ON {belongs}
    WHERE NOT {is_legacy} OR a.created_at < u.created_at
),
cte_shown AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_owned AS o ON o.user_id = i.{user} AND o.id = i.{artwork}
),
cte_pool AS MATERIALIZED (
    SELECT o.user_id, count(*) AS artworks, count(*) FILTER (WHERE s.user_id IS NOT NULL) AS seen
    FROM cte_owned AS o
    LEFT JOIN cte_shown AS s ON s.user_id = o.user_id AND s.artwork_id = o.id
    GROUP BY o.user_id
),
cte_member AS MATERIALIZED (
    SELECT u.id AS user_id, coalesce(pool.artworks, 0) AS pool, coalesce(pool.seen, 0) AS seen
    FROM cte_people AS u
    LEFT JOIN cte_pool AS pool ON pool.user_id = u.id
)
{result}
