-- Pairs that become legacy by age alone, one an artwork, evenly over some seconds: the artworks
-- get younger, and one impression of each goes while its pair is not legacy.
WITH chosen AS (
    SELECT a.id, row_number() OVER (ORDER BY md5(a.id)) AS number
    FROM art_sessions AS a
    WHERE a.created_at < timezone('UTC', now()) - interval '8 days'
    ORDER BY md5(a.id)
    LIMIT %(pairs)s
),
younger AS (
    UPDATE art_sessions AS a
    SET created_at = timezone('UTC', now()) - interval '7 days'
        + make_interval(secs => %(lead)s + %(seconds)s * (c.number - 0.5) / %(pairs)s)
    FROM chosen AS c
    WHERE a.id = c.id
),
picked AS (
    SELECT i.id
    FROM chosen AS c
    CROSS JOIN LATERAL (
        SELECT s.id FROM user_art_impressions AS s WHERE s.artwork_id = c.id LIMIT 1
    ) AS i
)
DELETE FROM user_art_impressions AS i
USING picked AS p
WHERE i.id = p.id
RETURNING i.user_id, i.artwork_id
