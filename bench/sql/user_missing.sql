-- How many legacy artworks each user misses, in id order.
SELECT u.id AS user_id, legacy.artworks - seen.artworks AS missing
FROM users AS u
JOIN (
    SELECT i.user_id, count(*) AS artworks
    FROM user_art_impressions AS i
    JOIN art_sessions AS a ON a.id = i.artwork_id
    WHERE a.created_at <= %(legacy_until)s
    GROUP BY i.user_id
) AS seen ON seen.user_id = u.id
CROSS JOIN (
    SELECT count(*) AS artworks FROM art_sessions WHERE created_at <= %(legacy_until)s
) AS legacy
WHERE legacy.artworks > seen.artworks
ORDER BY u.id
