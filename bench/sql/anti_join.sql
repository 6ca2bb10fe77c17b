-- The census as people write it: every user with every artwork, anti-joined to the impressions.
SELECT
    (SELECT count(*) FROM user_art_impressions) AS tracked,
    count(*) FILTER (WHERE a.created_at > %(fresh_after)s) AS fresh,
    count(*) FILTER (
        WHERE a.created_at <= %(fresh_after)s AND a.created_at > %(legacy_until)s
    ) AS storage,
    count(*) FILTER (WHERE a.created_at <= %(legacy_until)s) AS legacy_untracked
FROM users AS u
CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.id IS NULL
