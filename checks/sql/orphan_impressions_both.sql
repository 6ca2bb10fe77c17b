-- Impressions that lack their user and their artwork, and would be counted twice. Asked only where
-- both kinds were found.
SELECT count(*)
FROM {impressions} AS i
LEFT JOIN {users} AS u ON u.{user_id} = i.{user}
LEFT JOIN {artworks} AS a ON a.{artwork_id} = i.{artwork}
WHERE u.{user_id} IS NULL AND a.{artwork_id} IS NULL
