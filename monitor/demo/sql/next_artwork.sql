-- The app's own question: what has this user not seen yet, newest first. Both moments are those of
-- transactions: one that began before an artwork's would have seen it before it was made.
SELECT artwork.id
FROM art_sessions AS artwork
LEFT JOIN user_art_impressions AS seen
    ON seen.artwork_id = artwork.id AND seen.user_id = :user_id
WHERE seen.id IS NULL AND artwork.created_at <= now()
ORDER BY artwork.created_at DESC
LIMIT 1
