-- The review's sketch, first half: the legacy artworks that one user has no impression of.
SELECT a.id
FROM art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.artwork_id = a.id AND i.user_id = %(user_id)s
WHERE i.id IS NULL AND a.created_at <= %(legacy_until)s
