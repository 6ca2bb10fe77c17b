-- Some users lose the impressions of so many legacy artworks each, as if none had ever been recorded.
DELETE FROM user_art_impressions AS i
USING (
    SELECT u.id AS user_id, a.id AS artwork_id
    FROM (SELECT s.id FROM users AS s WHERE s.id = ANY (%(users)s)) AS u
    CROSS JOIN LATERAL (
        SELECT s.id
        FROM art_sessions AS s
        WHERE s.created_at < timezone('UTC', now()) - interval '8 days'
        ORDER BY hashtextextended(s.id, hashtext(u.id))
        LIMIT %(pairs)s
    ) AS a
) AS lost
WHERE i.user_id = lost.user_id AND i.artwork_id = lost.artwork_id
