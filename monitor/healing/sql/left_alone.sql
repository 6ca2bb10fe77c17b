-- Legacy pairs of the audience whose row is there and does not count, where nothing brings it to
-- count: nobody's work. One pass over such rows.
SELECT DISTINCT u.id AS user_id, a.id AS artwork_id, a.created_at
FROM {uncounted_rows} AS i
JOIN {counted_users} AS u ON u.id = i.{user}
JOIN {counted_artworks} AS a ON a.id = i.{artwork}
WHERE {is_legacy}
  AND {not_excused}
  AND {is_paired}
  AND {in_audience}
  AND NOT EXISTS (
      SELECT 1 FROM {impressions} AS c WHERE c.{user} = i.{user} AND c.{artwork} = i.{artwork}
  )
