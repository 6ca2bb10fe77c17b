-- catalogue_listed_before for Citus: each table by itself, and of the impressions those of the pairs
-- in question.
WITH cte_user AS MATERIALIZED (
    SELECT {user_id} AS id, {marked} AS marked FROM {users} WHERE {users_filter}
),
cte_artwork AS MATERIALIZED (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a
),
cte_older AS MATERIALIZED (
    SELECT u.id AS user_id, a.id AS artwork_id
    FROM {listed} AS l
    JOIN cte_user AS u ON u.id = l.{listed_user}
    JOIN cte_artwork AS a ON a.id = l.{listed_artwork}
    WHERE a.created_at < u.marked
),
cte_seen AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions_counted} AS i
    JOIN cte_older AS o ON o.user_id = i.{user} AND o.artwork_id = i.{artwork}
)
SELECT 1
FROM cte_older AS o
LEFT JOIN cte_seen AS s ON s.user_id = o.user_id AND s.artwork_id = o.artwork_id
WHERE s.user_id IS NULL
LIMIT 1
