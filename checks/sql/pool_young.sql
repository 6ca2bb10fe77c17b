-- The young artworks, the newest first, for pool_exhaustion to look their impressions up.
SELECT a.id::text AS id
FROM {pool_artworks} AS a
WHERE NOT {is_legacy}
ORDER BY a.created_at DESC
LIMIT %(most_young)s
