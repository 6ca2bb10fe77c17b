-- Users of the audience with legacy pairs, and how many each: the legacy artworks minus those
-- that the user has seen.
WITH legacy_artwork AS {inline} (
    SELECT a.id FROM {counted_artworks} AS a WHERE {is_legacy}
),
total AS {leaf} (
    SELECT count(*) AS artworks FROM legacy_artwork
),
seen AS {leaf} (
    SELECT p.user_id, count(*) AS artworks
    FROM {pairs} AS p
    JOIN legacy_artwork AS a ON a.id = p.artwork_id
    GROUP BY p.user_id
),
member AS {leaf} (
    SELECT u.id FROM {audience} AS u
)
SELECT u.id AS user_id, total.artworks - coalesce(seen.artworks, 0) AS legacy
FROM member AS u
CROSS JOIN total
LEFT JOIN seen ON seen.user_id = u.id
WHERE total.artworks > coalesce(seen.artworks, 0)
