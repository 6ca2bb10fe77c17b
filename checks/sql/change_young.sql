-- The artworks that are not legacy yet, and how many impressions each has.
SELECT
    a.id::text AS id,
    (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id) AS tracked
FROM {counted_artworks} AS a
WHERE NOT {is_legacy}
LIMIT %(at_most)s
