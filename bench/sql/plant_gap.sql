-- A hundred pairs, say, that were shown and are not recorded any more, of so many artworks; which
-- have just grown old, and so are neighbours in time, or have long been so, any of them.
WITH chosen AS (
    SELECT a.id
    FROM art_sessions AS a
    WHERE a.created_at < timezone('UTC', now()) - interval '8 days'
    ORDER BY CASE WHEN %(aged)s THEN a.created_at END DESC, md5(a.id || %(round)s)
    LIMIT %(artworks)s
),
aged AS (
    UPDATE art_sessions AS a
    SET created_at = timezone('UTC', now()) - interval '7 days'
    FROM chosen AS c
    WHERE a.id = c.id AND %(aged)s
),
picked AS (
    SELECT i.id
    FROM chosen AS c
    CROSS JOIN LATERAL (
        SELECT s.id
        FROM user_art_impressions AS s
        WHERE s.artwork_id = c.id
        ORDER BY md5(s.user_id || s.artwork_id || %(round)s)
        LIMIT %(pairs)s / %(artworks)s
    ) AS i
)
DELETE FROM user_art_impressions AS i
USING picked AS p
WHERE i.id = p.id
