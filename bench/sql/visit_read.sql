-- What the app asks on every visit: what has this user not seen yet, newest first.
SELECT artwork.id
FROM art_sessions AS artwork
LEFT JOIN user_art_impressions AS seen
    ON seen.artwork_id = artwork.id AND seen.user_id = %(user_id)s
WHERE seen.id IS NULL
ORDER BY artwork.created_at DESC
LIMIT 1
