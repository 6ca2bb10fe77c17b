-- The best single statement that we know: impressions of these users only are read, and what is
-- missing goes in in one order. A window of artworks restricts it further.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT m.user_id, m.artwork_id, timezone('UTC', now())
FROM (
    SELECT u.id AS user_id, a.id AS artwork_id
    FROM users AS u
    CROSS JOIN art_sessions AS a
    WHERE a.created_at <= %(legacy_until)s
      AND u.id >= %(first_user)s AND u.id <= %(last_user)s
      AND a.id >= %(first_artwork)s AND a.id <= %(last_artwork)s
    EXCEPT
    SELECT i.user_id, i.artwork_id
    FROM user_art_impressions AS i
    WHERE i.user_id >= %(first_user)s AND i.user_id <= %(last_user)s
      AND i.artwork_id >= %(first_artwork)s AND i.artwork_id <= %(last_artwork)s
) AS m
ORDER BY {order}
ON CONFLICT (user_id, artwork_id) DO NOTHING
