-- The legacy pairs as people select them in an expectation that there are none.
SELECT u.id AS user_id, a.id AS artwork_id
FROM users AS u
CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.id IS NULL AND a.created_at <= %(legacy_until)s
