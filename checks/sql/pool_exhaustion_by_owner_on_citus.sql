-- The same on Citus: which artworks of the pools were shown is found where the impressions are.
WITH people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
counted AS MATERIALIZED (
    SELECT a.* FROM {pool_artworks} AS a
),
owned AS MATERIALIZED (
    SELECT a.id, u.id AS user_id
    FROM counted AS a
    JOIN people AS u ON {belongs}
    WHERE NOT {is_legacy} OR a.created_at < u.created_at
),
shown AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN owned AS o ON o.user_id = i.{user} AND o.id = i.{artwork}
),
pool AS MATERIALIZED (
    SELECT o.user_id, count(*) AS artworks, count(*) FILTER (WHERE s.user_id IS NOT NULL) AS seen
    FROM owned AS o
    LEFT JOIN shown AS s ON s.user_id = o.user_id AND s.artwork_id = o.id
    GROUP BY o.user_id
),
member AS MATERIALIZED (
    SELECT u.id AS user_id, coalesce(pool.artworks, 0) AS pool, coalesce(pool.seen, 0) AS seen
    FROM people AS u
    LEFT JOIN pool ON pool.user_id = u.id
)
{result}
