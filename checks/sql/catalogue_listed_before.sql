-- A pair that is listed although its artwork is older than a moment of the user's, and that has no
-- impression: what healing would write back.
SELECT 1
FROM {listed} AS l
JOIN (
    SELECT {user_id} AS id, {marked} AS marked FROM {users} WHERE {users_filter}
) AS u ON u.id = l.{listed_user}
JOIN {counted_artworks} AS a ON a.id = l.{listed_artwork}
LEFT JOIN {impressions_counted} AS i ON i.{user} = u.id AND i.{artwork} = a.id
WHERE a.created_at < u.marked AND i.{user} IS NULL
LIMIT 1
