-- The first users in id order that together miss so many rows, and the rows that each misses.
SELECT m.user_id, m.missing
FROM (
    SELECT
        u.id AS user_id,
        legacy.artworks - seen.artworks AS missing,
        coalesce(sum(legacy.artworks - seen.artworks) OVER (
            ORDER BY u.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
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
) AS m
WHERE m.before < %(rows)s AND m.missing > 0
ORDER BY m.user_id
