-- The same on Citus: which of the owned artworks were shown is found where the impressions are.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_legacy_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
cte_owned AS MATERIALIZED (
    SELECT a.id, u.id AS user_id
    FROM cte_legacy_artwork AS a
    JOIN cte_people AS u ON {belongs}
    WHERE coalesce(u.created_at <= a.created_at, TRUE)
),
cte_shown AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_owned AS o ON o.user_id = i.{user} AND o.id = i.{artwork}
)
SELECT o.user_id, count(*) AS legacy
FROM cte_owned AS o
LEFT JOIN cte_shown AS s ON s.user_id = o.user_id AND s.artwork_id = o.id
WHERE s.user_id IS NULL
GROUP BY o.user_id
