-- The young artworks, for pool_exhaustion to look their impressions up.
SELECT a.id::text AS id
FROM {pool_artworks} AS a
WHERE NOT {is_legacy}
LIMIT %(most_young)s
