-- The legacy pairs of few artworks.
SELECT u.id AS user_id, a.id AS artwork_id, a.created_at
FROM {audience} AS u
CROSS JOIN {counted_artworks} AS a
WHERE {is_legacy}
  AND {not_excused}
  AND {is_paired}
  AND NOT EXISTS (
      SELECT 1 FROM {their_impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
  )
