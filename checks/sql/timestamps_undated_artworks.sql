-- Artworks without a creation time, and how many. No census counts them, so nobody heals them.
WITH found AS {leaf} (
    SELECT {artwork_id}::text AS artwork_id
    FROM {artworks}
    WHERE {artwork_created} IS NULL AND {artworks_filter}
)
SELECT a.artwork_id, count(*) OVER () AS found
FROM found AS a
ORDER BY a.artwork_id
LIMIT %(evidence)s
