-- The same on Citus: which of the owned artworks were shown is found where the impressions are.
WITH people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
legacy_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
owned AS MATERIALIZED (
    SELECT a.id, u.id AS user_id
    FROM legacy_artwork AS a
    JOIN people AS u ON {belongs}
    WHERE coalesce(u.created_at <= a.created_at, TRUE)
),
shown AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN owned AS o ON o.user_id = i.{user} AND o.id = i.{artwork}
)
SELECT o.user_id, count(*) AS legacy
FROM owned AS o
LEFT JOIN shown AS s ON s.user_id = o.user_id AND s.artwork_id = o.id
WHERE s.user_id IS NULL
GROUP BY o.user_id
