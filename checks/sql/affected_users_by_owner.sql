-- The same where an artwork pairs with its owner only.
SELECT u.id AS user_id, count(*) AS legacy{missing}
FROM {counted_artworks} AS a
JOIN {audience} AS u ON {belongs}
WHERE {is_legacy}
  AND coalesce(u.created_at <= a.created_at, TRUE)
  AND NOT EXISTS (
      SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
  )
GROUP BY u.id
